/**
 * What goes on in a database, beyond the original: slow commands, large and busy keys, clients, and the mixture of
 * commands. Asked of the engines at that moment; nothing of it is kept. Names of keys and arguments of commands are data:
 * they are for those who may read the password too.
 */
import Type from 'typebox'
import { wholeNumber } from '../http/query.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import { askBystanders, askPrimaries, databaseOf } from './ask.ts'
import { type EngineClient, joinCommandUse, parseClients, parseCommandUse, parseSlowLog } from './engine-texts.ts'
import { keyReport } from './key-report.ts'

const ASK_TIMEOUT_MS = 2_000
const SAMPLE_TIMEOUT_MS = 10_000
const OWN_CLIENTS = /^holdfast(-|$)/

const Silent = Type.Array(Type.String(), { description: 'Shards that did not answer.' })
const Count = Type.Integer({ minimum: 0 })

const SlowLogObject = Type.Object({
  commands: Type.Array(
    Type.Object({
      time: Type.String({ description: 'When it ended, UTC.' }),
      duration_usec: Count,
      command: Type.String(),
      args: Type.Array(Type.String()),
      client_addr: Type.String(),
      client_name: Type.String(),
      shard_uid: Type.String(),
    }),
    { description: 'Newest first.' },
  ),
  silent_shards: Silent,
})

const KeyObject = Type.Object({
  name: Type.String(),
  type: Type.String(),
  memory_bytes: Count,
  ttl_ms: Type.Union([Count, Type.Null()]),
  idle_seconds: Type.Union([Count, Type.Null()]),
  frequency: Type.Union([Count, Type.Null()]),
  shard_uid: Type.String(),
})
const ShareObject = Type.Object({
  pattern: Type.String(),
  estimated_keys: Count,
  estimated_bytes: Count,
  average_bytes: Count,
  without_ttl_percent: Count,
})
const KeysObject = Type.Object({
  keys: Count,
  sampled: Count,
  biggest: Type.Array(KeyObject),
  hottest: Type.Array(KeyObject),
  patterns: Type.Array(ShareObject),
  types: Type.Array(ShareObject),
  silent_shards: Silent,
})

const ClientsObject = Type.Object({
  clients: Count,
  groups: Type.Array(
    Type.Object({
      name: Type.String(),
      user: Type.String(),
      host: Type.String(),
      library: Type.String(),
      connections: Count,
      blocked: Count,
      subscribed: Count,
      memory_bytes: Count,
      longest_idle_seconds: Count,
    }),
  ),
  silent_shards: Silent,
})

const CommandsObject = Type.Object({
  commands: Type.Array(
    Type.Object({
      command: Type.String(),
      calls: Count,
      percent_of_calls: Type.Number(),
      percent_of_time: Type.Number(),
      average_usec: Type.Number(),
      p50_usec: Type.Union([Type.Number(), Type.Null()]),
      p99_usec: Type.Union([Type.Number(), Type.Null()]),
      failed_calls: Count,
      rejected_calls: Count,
    }),
  ),
  silent_shards: Silent,
})

const COUNT: QueryParameter = {
  name: 'count',
  description: 'How many at most, 1 to 1000',
  schema: Type.Integer({ minimum: 1, maximum: 1000, default: 100 }),
}
const KEYS: QueryParameter = {
  name: 'keys',
  description: 'How many keys are looked at in each shard, 1 to 100000',
  schema: Type.Integer({ minimum: 1, maximum: 100_000, default: 5_000 }),
}

export const insightRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/insights/slow_log',
    access: 'view_redis_pass',
    summary: 'Commands that took long, of all shards, newest first (not in the original)',
    query: [COUNT],
    answers: SlowLogObject,
    refusals: ['db_not_exist', 'invalid_query', 'bdb_unavailable'],
    handle: async (request, parts) => {
      const count = wholeNumber(request, COUNT)
      const { answers, silent } = await askPrimaries(parts, databaseOf(request, parts), (agent, uid) =>
        agent.ask(uid, { kind: 'slow-log', entries: count }, ASK_TIMEOUT_MS),
      )
      const commands = answers
        .flatMap(({ shardUid, answer }) => parseSlowLog(answer).map((one) => ({ ...one, shardUid })))
        .sort((a, b) => b.atSeconds - a.atSeconds || b.id - a.id)
        .slice(0, count)
        .map(({ atSeconds, tookMicroseconds, words: [command = '', ...args], client, clientName, shardUid }) => ({
          time: new Date(atSeconds * 1000).toISOString(),
          duration_usec: tookMicroseconds,
          command,
          args,
          client_addr: client,
          client_name: clientName,
          shard_uid: String(shardUid),
        }))
      return { json: { commands, silent_shards: silent } }
    },
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/insights/keys',
    access: 'view_redis_pass',
    summary: 'Large keys, busy keys, and memory by pattern of name, from a sample (not in the original)',
    query: [KEYS, { ...COUNT, description: 'How many of the largest and busiest are told, 1 to 1000' }],
    answers: KeysObject,
    refusals: ['db_not_exist', 'invalid_query', 'bdb_unavailable'],
    handle: async (request, parts) => {
      const [keys, top] = [wholeNumber(request, KEYS), wholeNumber(request, COUNT)]
      const { answers, silent } = await askBystanders(parts, databaseOf(request, parts), (agent, uid) =>
        agent.sampleKeys(uid, { keys, timeoutMs: SAMPLE_TIMEOUT_MS }),
      )
      const shards = answers.map(({ shardUid, answer }) => ({ shardUid, ...answer }))
      return { json: { ...keyReport(shards, top), silent_shards: silent } }
    },
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/insights/clients',
    access: 'view_bdb_stats',
    summary: 'Who is connected to the shards, by name, user and host (not in the original)',
    answers: ClientsObject,
    refusals: ['db_not_exist', 'bdb_unavailable'],
    handle: async (request, parts) => {
      const { answers, silent } = await askPrimaries(parts, databaseOf(request, parts), (agent, uid) =>
        agent.ask(uid, { kind: 'clients' }, ASK_TIMEOUT_MS),
      )
      const clients = answers
        .flatMap(({ answer }) => parseClients(answer))
        .filter(({ user = '' }) => !OWN_CLIENTS.test(user))
      return { json: { clients: clients.length, groups: groupsOf(clients), silent_shards: silent } }
    },
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/insights/commands',
    access: 'view_bdb_stats',
    summary: 'Which commands are run, how often and how long, since the shards started (not in the original)',
    answers: CommandsObject,
    refusals: ['db_not_exist', 'bdb_unavailable'],
    handle: async (request, parts) => {
      const { answers, silent } = await askPrimaries(parts, databaseOf(request, parts), (agent, uid) =>
        agent.info(uid, ASK_TIMEOUT_MS),
      )
      const used = [...joinCommandUse(answers.map(({ answer }) => parseCommandUse(answer)))]
      const all = used.reduce(
        (sum, [, { calls, microseconds }]) => ({ calls: sum.calls + calls, time: sum.time + microseconds }),
        { calls: 0, time: 0 },
      )
      const commands = used
        .sort(([, a], [, b]) => b.microseconds - a.microseconds)
        .map(([command, { calls, microseconds, p50, p99, failed, rejected }]) => ({
          command,
          calls,
          percent_of_calls: share(calls, all.calls),
          percent_of_time: share(microseconds, all.time),
          average_usec: Number((microseconds / Math.max(calls, 1)).toFixed(2)),
          p50_usec: p50,
          p99_usec: p99,
          failed_calls: failed,
          rejected_calls: rejected,
        }))
      return { json: { commands, silent_shards: silent } }
    },
  },
]

function groupsOf(clients: readonly EngineClient[]): object[] {
  const hostOf = ({ addr = '' }: EngineClient) => addr.replace(/:\d+$/, '')
  const key = (one: EngineClient) => JSON.stringify([one.name, one.user, hostOf(one), one['lib-name']])
  const sum = (members: readonly EngineClient[], field: string) =>
    members.reduce((total, one) => total + Number(one[field] ?? 0), 0)
  return [...Map.groupBy(clients, key).values()]
    .map((members) => {
      const [first = {}] = members
      return {
        name: first.name ?? '',
        user: first.user ?? '',
        host: hostOf(first),
        library: first['lib-name'] ?? '',
        connections: members.length,
        blocked: members.filter(({ flags = '' }) => flags.includes('b')).length,
        subscribed: members.filter(({ flags = '' }) => flags.includes('P')).length,
        memory_bytes: sum(members, 'tot-mem'),
        longest_idle_seconds: Math.max(...members.map(({ idle = '0' }) => Number(idle))),
      }
    })
    .sort((a, b) => b.connections - a.connections)
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Number(((100 * part) / whole).toFixed(2))
}
