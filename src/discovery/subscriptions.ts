/**
 * SUBSCRIBE and its siblings, and the news that they are for.
 *
 * `+switch-master` says that a name leads to another address or port. A replica that takes over does so at the same
 * port: for clients nothing has moved, so nothing is said. It would make them drop connections that work.
 */
import { encodeValue } from '#resp/encode.ts'
import type { RespValue } from '#resp/value.ts'
import { type Answer, type Asked, type Client, type Command, isSubscribed } from './client.ts'
import type { News, Place } from './directory.ts'
import { matchesGlob } from './glob.ts'
import { MAX_SUBSCRIPTIONS } from './limits.ts'
import { bulk, error, inProtocol, integer, NO_TEXT } from './replies.ts'

const FLAGS = ['pubsub', 'noscript', 'loading', 'stale', 'sentinel'] as const

export const SUBSCRIPTION_COMMANDS: Readonly<Record<string, Command>> = {
  subscribe: { arity: -2, flags: FLAGS, run: (asked) => subscribe(asked, 'subscribe', asked.client.channels) },
  psubscribe: { arity: -2, flags: FLAGS, run: (asked) => subscribe(asked, 'psubscribe', asked.client.patterns) },
  unsubscribe: { arity: -1, flags: FLAGS, run: (asked) => unsubscribe(asked, 'unsubscribe', asked.client.channels) },
  punsubscribe: { arity: -1, flags: FLAGS, run: (asked) => unsubscribe(asked, 'punsubscribe', asked.client.patterns) },
}

function subscribe({ client, words }: Asked, kind: string, to: Set<string>): Answer {
  const each = words.slice(1).map((name) => {
    if (client.channels.size + client.patterns.size >= MAX_SUBSCRIPTIONS && !to.has(name))
      return error(`ERR a client may have ${MAX_SUBSCRIPTIONS} subscriptions`)
    to.add(name)
    return confirmation(client, kind, bulk(name))
  })
  return { each }
}

function unsubscribe({ client, words }: Asked, kind: string, from: Set<string>): Answer {
  const names = words.length > 1 ? words.slice(1) : [...from]
  if (names.length === 0) return confirmation(client, kind, NO_TEXT)
  const each = names.map((name) => {
    from.delete(name)
    return confirmation(client, kind, bulk(name))
  })
  return { each }
}

function confirmation({ channels, patterns }: Client, kind: string, name: RespValue): RespValue {
  return { kind: 'push', items: [bulk(kind), name, integer(channels.size + patterns.size)] }
}

/** Channel and text, in Sentinel's own form. */
export function messageOf({ name, before, after }: News): readonly [channel: string, text: string] | undefined {
  if (before && after) return ['+switch-master', `${name} ${addressOf(before)} ${addressOf(after)}`]
  if (after) return ['+monitor', `master ${name} ${addressOf(after)} quorum 1`]
  if (before) return ['-monitor', `master ${name} ${addressOf(before)}`]
  return undefined
}

function addressOf({ host, port }: Place): string {
  return `${host} ${port}`
}

/** What this client is to be sent; empty when it has not asked for it. */
export function messageFor(client: Client, channel: string, text: string): Buffer {
  if (!isSubscribed(client)) return Buffer.alloc(0)
  const own = client.channels.has(channel) ? [['message', channel, text]] : []
  const matching = [...client.patterns].filter((pattern) => matchesGlob(pattern, channel))
  const messages = [...own, ...matching.map((pattern) => ['pmessage', pattern, channel, text])]
  return Buffer.concat(
    messages.map((words) => encodeValue(inProtocol({ kind: 'push', items: words.map(bulk) }, client.protocol))),
  )
}
