/**
 * start-shard: folder, configuration, process; done when the process answers or has begun to read its data. Everything
 * is written before the process starts, so a step that was cut off anywhere is repaired by carrying it out again.
 */
import { rename, rm, stat } from 'node:fs/promises'
import { renderAccounts } from '#engine/accounts.ts'
import { isAlive, spawnEngine } from '#engine/process.ts'
import { type EngineBuild, StepFailed } from '#plan/agent.ts'
import { specDigest } from '#plan/spec-digest.ts'
import type { ShardSpec, ShardState } from '#plan/step.ts'
import { accountsOf } from '../accounts.ts'
import { type Boot, planBoot } from '../boot.ts'
import type { StepContext } from '../context.ts'
import { configurationText, type Settings } from '../directives.ts'
import { makeFolder, readDataFiles, removeAof, removeDump, type ShardFolder, writeWhole } from '../folder.ts'
import { guessRecord } from '../record.ts'
import type { Shard } from '../shard.ts'
import { tlsAtStart } from '../tls.ts'
import { kindOfWords } from '../trouble.ts'
import { configureShard } from './configure-shard.ts'

/** A healthy engine opens its socket within some 10 ms, before it reads any data. */
const ANSWER_TIMEOUT_MS = 30_000
/** So long a process that is being started keeps others from it: one that hangs must not hold up the rest. */
const TURN_MS = 1_000
/** Little data is read within this, and a file that cannot be read is mostly found out; more is not waited for. */
const LOADING_PATIENCE_MS = 200
const NO_FILES = { dump: false, aof: false }
const LOG_LIMIT_BYTES = 16 * 1024 * 1024

export async function startShard(
  context: StepContext,
  spec: ShardSpec,
  { discardsData = false }: { readonly discardsData?: boolean } = {},
): Promise<void> {
  const { shard, signal } = context
  // What was observed may be a moment old; the kernel's list is not.
  if (shard.process && !isAlive(shard.process)) await shard.until(['exited', 'stopped'], { signal })
  if (shard.isUp) {
    const state = await shard.until(['running', 'loading', 'exited', 'stopped'], { signal })
    if (state === 'running') return await configureShard(context, spec)
    // It has begun to load; whatever differs is changed when it has its data.
    if (state === 'loading') return
  }
  const engine = checkStart(context, spec)
  const tls = await tlsAtStart(context.options, spec)
  const boot = await prepare(context, spec, discardsData, tls?.settings)
  await context.spawns.run(async () => {
    launch(context, engine, tls?.input)
    await answered(shard, AbortSignal.any([signal, AbortSignal.timeout(TURN_MS)])).catch(() => {})
  })
  const state = await outcome(shard, signal)
  if (state === 'exited' || state === 'stopped') throw endedAtOnce(shard)
  if (state === 'running' && !(boot.settled && isWholeInFile(spec))) await configureShard(context, spec)
}

/** `loading` only when it has more to read than is worth waiting for. */
async function outcome(shard: Shard, signal: AbortSignal): Promise<ShardState> {
  const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
  const first = await answered(shard, patience).catch((cause: unknown) => {
    if (signal.aborted) throw cause
    const message = `shard ${shard.uid} does not answer ${ANSWER_TIMEOUT_MS} ms after its start`
    throw new StepFailed('timeout', message, null, { cause })
  })
  if (first !== 'loading') return first
  const either = AbortSignal.any([signal, AbortSignal.timeout(LOADING_PATIENCE_MS)])
  return await shard.until(['running', 'exited', 'stopped'], { signal: either }).catch(() => 'loading')
}

/** Throws when a start with this spec cannot succeed; asked before a shard that runs is stopped for it. */
export function checkStart(context: StepContext, spec: ShardSpec): EngineBuild {
  renderAccounts(accountsOf(spec, context.options.controlSecret))
  return findEngine(context, spec)
}

function findEngine({ options }: StepContext, { engine }: ShardSpec): EngineBuild {
  const build = options.engines.find(({ name, version }) => name === engine.name && version === engine.version)
  if (build) return build
  const known = options.engines.map(({ name, version }) => `${name} ${version}`).join(', ') || 'none'
  throw new StepFailed('missing', `${engine.name} ${engine.version} is not installed on this machine (it has ${known})`)
}

/** Everything on disk as the process is to find it; data that must not be read goes before the record says that it is gone. */
async function prepare(
  { shard, options }: StepContext,
  spec: ShardSpec,
  discardsData: boolean,
  tls: Settings = {},
): Promise<Boot> {
  const { folder } = shard
  await makeFolder(folder)
  shard.announce()
  const before = shard.record ?? (await guessRecord(folder))
  const files = discardsData ? NO_FILES : await readDataFiles(folder)
  const boot = planBoot(before, files, spec.persistence)
  const [logMark] = await Promise.all([
    rotateLog(folder),
    writeWhole(folder.users, renderAccounts(accountsOf(spec, options.controlSecret))),
    writeWhole(folder.config, configurationText(spec, boot.persistence, folder, tls)),
    rm(folder.socket, { force: true }),
    boot.removeDump && removeDump(folder),
    boot.removeAof && removeAof(folder),
  ])
  await shard.keep({
    spec,
    specDigest: boot.settled && isWholeInFile(spec) ? specDigest(spec) : null,
    flushes: before.spec && !discardsData ? before.flushes : spec.flushes,
    completeTerm: completeAtStart(spec, boot, before.completeTerm),
    ...boot.record,
    stopped: false,
    logMark,
  })
  return boot
}

/** Whom it follows, and its passphrase, are told to a process once it runs: such secrets are not to be in a file. */
function isWholeInFile({ role, tls, cluster }: ShardSpec): boolean {
  return role.kind === 'primary' && tls === null && cluster === null
}

/** A primary has all data there is; a replica only what it had, and nothing when it starts empty. */
function completeAtStart({ role }: ShardSpec, boot: Boot, before: number | null): number | null {
  if (role.kind === 'primary') return role.term
  return boot.removeDump && boot.removeAof ? null : before
}

/** The length of the log that the process will write to. */
async function rotateLog(folder: ShardFolder): Promise<number> {
  const size = (await stat(folder.log).catch(() => null))?.size ?? 0
  if (size < LOG_LIMIT_BYTES) return size
  await rename(folder.log, `${folder.log}.1`)
  return 0
}

function launch({ shard, watch }: StepContext, engine: EngineBuild, input: string | undefined): void {
  const { folder } = shard
  const { identity, ended } = spawnEngine({
    path: engine.path,
    configPath: folder.config,
    folder: folder.path,
    logPath: folder.log,
    input,
  })
  shard.observe({ state: 'starting', pid: identity?.pid ?? null, lastWords: null })
  watch({ process: identity, ended, find: () => null })
}

function answered(shard: Shard, signal: AbortSignal) {
  return shard.until(['running', 'loading', 'exited', 'stopped'], { signal })
}

function endedAtOnce({ uid, observed }: Shard): StepFailed {
  const kind = kindOfWords(observed.lastWords)
  const what =
    kind === 'port' ? 'finds its port taken' : kind === 'disk' ? 'cannot write to the disk' : 'does not start'
  return new StepFailed(kind, `shard ${uid} ${what}`, observed.lastWords)
}
