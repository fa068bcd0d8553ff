/**
 * Asking the shards of a database, all at once: what each says, and which did not answer. One that hangs costs its own
 * part of the answer and nothing else.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Agent } from '#plan/agent.ts'
import { primariesOf } from '../databases/leaders.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { refuse } from '../errors.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

export type Asked<T> = {
  readonly answers: readonly { readonly shardUid: number; readonly answer: T }[]
  readonly silent: readonly string[]
}

export function databaseOf({ params }: ApiRequest, { state }: Parts): DatabaseDocument {
  return state.databases.get(params.uid ?? '')?.value ?? noSuchDatabase(params.uid ?? '')
}

/** Of the primaries. Throws a Refusal when none of them answers. */
export async function askPrimaries<T>(
  parts: Parts,
  database: DatabaseDocument,
  ask: (agent: Agent, shardUid: number) => Promise<T | null>,
): Promise<Asked<T>> {
  return await askPlaces(parts, primariesOf(parts.state, database), ask)
}

/** Of a replica that is in step where there is one, so that applications are not kept waiting; else of the primary. */
export async function askBystanders<T>(
  parts: Parts,
  database: DatabaseDocument,
  ask: (agent: Agent, shardUid: number) => Promise<T | null>,
): Promise<Asked<T>> {
  const places = primariesOf(parts.state, database).map((primary) => {
    const replica = database.shards.find(({ uid, group, nodeUid }) => {
      const seen = parts.agents.get(nodeUid)?.observed().get(uid)
      return group === primary.group && uid !== primary.uid && seen?.state === 'running' && seen.isLinked
    })
    return replica ?? primary
  })
  return await askPlaces(parts, places, ask)
}

async function askPlaces<T>(
  { agents, log }: Parts,
  places: readonly ShardPlace[],
  ask: (agent: Agent, shardUid: number) => Promise<T | null>,
): Promise<Asked<T>> {
  const all = await Promise.all(
    places.map(async ({ uid, nodeUid }) => {
      const agent = agents.get(nodeUid)
      const answer = agent
        ? await ask(agent, uid).catch((err: unknown) => {
            log.debug({ err, shardUid: uid }, 'a shard did not answer')
            return null
          })
        : null
      return { shardUid: uid, answer }
    }),
  )
  const answers = all.flatMap(({ shardUid, answer }) => (answer === null ? [] : { shardUid, answer }))
  if (answers.length === 0) refuse('bdb_unavailable', { description: 'No shard of the database answers.' })
  return { answers, silent: all.filter(({ answer }) => answer === null).map(({ shardUid }) => String(shardUid)) }
}
