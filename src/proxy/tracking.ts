/**
 * CLIENT TRACKING and CLIENT CACHING: a client that keeps values itself gets connections of its own to the shards,
 * which watch its keys for it; what they say comes to it as if one server had said it. Callers: the CLIENT commands.
 * RESP3 only: with RESP2 the messages would go to another client, which the shards cannot know.
 *
 * When one of its connections is lost, keys may have changed unseen: the client is told to forget all it has.
 */
import type { Client, Session } from './client.ts'
import { firstKeyIndex } from './command-table.ts'
import { hashSlotOf, passOn } from './passing.ts'
import { givePending, type ReplyTaker, takePending } from './pending.ts'
import { errorLine, lowerWord, OK, type Request } from './request.ts'

const FORGET_ALL = Buffer.from('>2\r\n$10\r\ninvalidate\r\n_\r\n')
const WITHOUT_VALUE = new Set(['bcast', 'optin', 'optout', 'noloop'])

const NOBODY: ReplyTaker = {
  takeReply: (pending) => givePending(pending),
  takePart: () => undefined,
  lose: (pending) => givePending(pending),
  detour: () => undefined,
}

export function trackingCommand(client: Client, request: Request): boolean {
  if (!client.isQuiet) return false
  const how = lowerWord(request, 2)
  if (how === 'off') stop(client)
  else if (how !== 'on') client.reply(errorLine('ERR syntax error'))
  else if (client.protocol !== 3)
    client.reply(errorLine('ERR tracking through this endpoint needs RESP3: say HELLO 3 first'))
  else start(client, request)
  return true
}

function start(client: Client, request: Request): void {
  const { pool, endpoint } = client
  const { flags, problem } = readFlags(request)
  if (!pool) return
  if (problem !== null || client.tracking) {
    client.reply(errorLine(problem ?? 'ERR tracking is on already: switch it off before you change how'))
    return
  }
  const own = endpoint.joinAlone(pool.identity, 3, {
    handshake: request.words,
    onPush: (bytes, from, to) => client.push(bytes, from, to),
    onLost: () => client.push(FORGET_ALL),
  })
  endpoint.leave(pool)
  client.pool = own
  client.tracking = { flags }
  // Those who watch prefixes hear of keys that they never asked for.
  if (flags.includes('bcast')) for (const shard of endpoint.slots.serving) own.forShard(shard)
  client.reply(OK)
}

function readFlags(request: Request): { flags: string[]; problem: string | null } {
  const flags: string[] = []
  for (let index = 3; index < request.words.length; index++) {
    const option = lowerWord(request, index)
    if (option === 'redirect')
      return { flags, problem: 'ERR REDIRECT is not available through this endpoint: use RESP3' }
    if (option === 'prefix') index++
    else if (!WITHOUT_VALUE.has(option)) return { flags, problem: 'ERR syntax error' }
    flags.push(option)
  }
  return { flags, problem: null }
}

function stop(client: Client): void {
  const { pool, endpoint } = client
  if (client.tracking && pool) {
    client.tracking = null
    client.pool = endpoint.join(pool.identity, client.protocol)
    endpoint.leave(pool)
  }
  client.reply(OK)
}

/** CLIENT CACHING is about the next command: it goes to the same shard, right before it. */
export function cachingCommand(client: Client, request: Request): boolean {
  const flags = client.tracking?.flags ?? []
  const how = lowerWord(request, 2)
  if (how === 'yes' ? !flags.includes('optin') : how !== 'no' || !flags.includes('optout'))
    client.reply(
      errorLine(
        `ERR CLIENT CACHING ${how.toUpperCase()} is only valid when tracking is enabled in OPTIN or OPTOUT mode.`,
      ),
    )
  else {
    client.session = new BeforeNext(request.raw)
    client.reply(OK)
  }
  return true
}

class BeforeNext implements Session {
  readonly #raw: Buffer

  constructor(raw: Buffer) {
    this.#raw = raw
  }

  take(client: Client, request: Request): boolean | 'pass' {
    client.session = null
    const { command, words } = request
    const key = words[command ? firstKeyIndex(command, words) : 0]
    if (!command || !key || key === words[0] || command.treatment !== 'keyed') return 'pass'
    const slot = hashSlotOf(key)
    const connection = client.pool?.forSlot(slot)
    if (!connection) return 'pass'
    connection.send(takePending(NOBODY), this.#raw)
    passOn(client, connection, slot, request.raw)
    return true
  }

  close(): void {}
}
