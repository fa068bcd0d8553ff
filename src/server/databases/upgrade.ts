/**
 * POST of an upgrade: the processes of a database are replaced by those of another version of its engine, or by fresh ones
 * of the same, while it serves; see plan/replacing.ts.
 */
import { NOTHING_GIVEN } from '#model/documents/cluster.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { type DatabaseEdit, unedited } from '#plan/change.ts'
import { replacing } from '#plan/replacing.ts'
import { isSameEngine, upgradeProblem } from '#plan/upgrade-path.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeDatabase } from './change.ts'
import { checkConfig, chooseEngine } from './check.ts'
import { withPorts } from './ports.ts'
import { answerDatabase } from './read.ts'

type Wanted = {
  /** Undefined: the newest of the engine that it has; null: the one that it has. */
  readonly version: string | undefined | null
  readonly forceRestart: boolean
}

const FLAGS = [
  'force_restart',
  'keep_redis_version',
  // Nothing is ever discarded here, and every process is a new one: these ask for nothing.
  'keep_crdt_protocol_version',
  'may_discard_data',
  'force_discard',
  'preserve_roles',
  'swap_roles',
  'latest_with_modules',
] as const

export async function upgradeDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const wanted = wantedBy(request)
  const options = { dryRun: false, kind: 'upgrade-database' } as const
  const { after } = await parts.allocation.run(() =>
    changeDatabase(request, parts, options, (database) => upgraded(parts, database, wanted)),
  )
  return answerDatabase(request, parts, after.uid)
}

async function upgraded(parts: Parts, database: DatabaseDocument, wanted: Wanted): Promise<DatabaseEdit> {
  const { config, shards } = database
  const { name, version } = chooseTarget(parts, database, wanted)
  const engine = { name, version }
  const edit = { ...unedited(database), engine }
  if (isSameEngine(engine, database.engine) && !wanted.forceRestart) return edit
  const problem = upgradeProblem(database.engine, engine)
  if (problem) refuse('invalid_version', { field: 'redis_version', description: `${problem}.` })
  checkConfig(parts, config, engine)
  const firstShardUid = { ...NOTHING_GIVEN, ...parts.state.counters.get('')?.value }.shard + 1
  const places = replacing(shards, database.engine, firstShardUid)
  return { ...edit, shards: config.sharding ? await withPorts(parts, places) : places }
}

function chooseTarget(parts: Parts, { engine }: DatabaseDocument, { version }: Wanted): DatabaseDocument['engine'] {
  if (version === null) return engine
  return chooseEngine(parts, version ?? `${engine.name} `)
}

/** Throws a Refusal for what nobody knows, or is not of its kind. */
function wantedBy({ body }: ApiRequest): Wanted {
  const {
    redis_version: version,
    parallel_shards_upgrade: parallel,
    modules,
    ...given
  } = body === undefined ? {} : objectBody(body)
  for (const [name, value] of Object.entries(given)) {
    const isKnown = FLAGS.some((flag) => flag === name)
    const known = [...FLAGS, 'redis_version', 'parallel_shards_upgrade', 'modules'].join(', ')
    if (!isKnown)
      refuse('unknown_field', {
        field: name,
        description: `There is no field ${JSON.stringify(name.slice(0, 40))} here; ${known} are.`,
      })
    if (typeof value !== 'boolean')
      refuse('invalid_field', { field: name, description: `${name} must be true or false.` })
  }
  if (version !== undefined && typeof version !== 'string')
    refuse('invalid_field', { field: 'redis_version', description: 'redis_version must be text, such as "7.2".' })
  if (parallel !== undefined && !(Number.isInteger(parallel) && Number(parallel) >= 1))
    refuse('invalid_field', {
      field: 'parallel_shards_upgrade',
      description: 'parallel_shards_upgrade must be a whole number from 1.',
    })
  if (modules !== undefined && !(Array.isArray(modules) && modules.length === 0))
    refuse('unsupported_feature', { field: 'modules', description: 'There are no modules here: leave modules out.' })
  return {
    version: given.keep_redis_version === true ? null : version,
    forceRestart: given.force_restart === true,
  }
}
