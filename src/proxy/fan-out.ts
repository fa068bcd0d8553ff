/**
 * Commands about the whole database: asked of every shard, and the answers joined. Callers: the router. A shard that is
 * away makes the answer an error, since a part would be taken for the whole.
 */
import { encodeValue } from '#resp/encode.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { Client } from './client.ts'
import { askAlone } from './exclusive.ts'
import { joinInfo } from './info.ts'
import {
  concatenation,
  errorValue,
  first,
  firstError,
  greatest,
  itemsOf,
  type Join,
  least,
  leastOfEach,
  numberOf,
  sum,
} from './join.ts'
import { histogramOfAll, historyOfAll, latestOfAll } from './latency-replies.ts'
import { mayNotify } from './notifications.ts'
import { hashSlotOf, NOT_SERVED, sendAnywhere, sendToSlot } from './passing.ts'
import { lowerWord, type Request, textWord } from './request.ts'
import { scan } from './scan.ts'

type Handler = (client: Client, request: Request) => boolean

function everywhere(join: Join): Handler {
  return (client, request) => {
    const { pool } = client
    const shards = client.endpoint.slots.serving
    if (!pool || shards.length === 0) {
      client.reply(NOT_SERVED)
      return true
    }
    const answers = shards.map((shard) => ask(pool.forShard(shard), request.raw))
    const pending = client.enqueue()
    void Promise.all(answers).then((values) => client.complete(pending, encodeValue(join(values))))
    return true
  }
}

const anywhere: Handler = (client, request) => {
  sendAnywhere(client, request.raw)
  return true
}

/** By the second word; what is not named goes to one shard. */
function bySubcommand(joins: Readonly<Record<string, Join>>): Handler {
  return (client, request) => {
    const join = Object.hasOwn(joins, lowerWord(request, 1)) ? joins[lowerWord(request, 1)] : undefined
    return join ? everywhere(join)(client, request) : anywhere(client, request)
  }
}

/** Any key of any shard: those that are empty have none. */
const randomKey: Handler = everywhere((answers) => {
  const found = answers.filter(({ kind }) => kind === 'bulk')
  return (
    firstError(answers) ?? found[Math.floor(Math.random() * found.length)] ?? answers[0] ?? errorValue('ERR no shard')
  )
})

/**
 * Fewest replicas that have it, over all shards. On connections of their own, since it waits; a command before it makes
 * the engine take the offset of now, which is past everything that was answered.
 */
const wait: Handler = (client, request) => {
  if (!client.isQuiet) return false
  const { pool } = client
  if (!pool) return true
  const pending = client.enqueue()
  client.hold()
  const answers = client.endpoint.slots.serving.map((shard) => askAlone(pool, shard, [['PING'], request.words]))
  void Promise.all(answers).then((all) => {
    client.unhold()
    const values = all.map((two) => two[1] ?? errorValue('ERR no shard'))
    const joined = values[0]?.kind === 'array' ? leastOfEach(values) : least(values)
    client.complete(pending, encodeValue(joined))
  })
  return true
}

const script: Handler = (client, request) => {
  const [, , text] = request.words
  if (lowerWord(request, 1) === 'load' && text) client.endpoint.scripts.add(text)
  if (lowerWord(request, 1) === 'flush') client.endpoint.scripts.clear()
  if (lowerWord(request, 1) === 'kill') return kill(client, request)
  return bySubcommand({ load: first, exists: leastOfEach, flush: first })(client, request)
}

/**
 * SCRIPT KILL, FUNCTION KILL: only the shard that runs it can kill it; the others say that they run nothing. On
 * connections of their own, since what they are to end may be what the shared one waits for; so one at a time.
 */
const kill: Handler = (client, request) => {
  const { pool } = client
  if (!pool) return true
  const pending = client.enqueue()
  client.hold()
  const answers = client.endpoint.slots.serving.map((shard) => askAlone(pool, shard, [request.words]))
  void Promise.all(answers).then((all) => {
    client.unhold()
    const values = all.flatMap(([value]) => value ?? [])
    const value = values.find(({ kind }) => kind === 'status') ?? values[0]
    client.complete(pending, encodeValue(value ?? errorValue('ERR no shard')))
  })
  return true
}

const info: Handler = (client, request) =>
  everywhere((answers) => {
    const error = firstError(answers)
    if (error) return error
    const texts = answers.map((answer) => textOf(answer) ?? '')
    const bytes = Buffer.from(joinInfo(texts, client.endpoint.config))
    return answers[0]?.kind === 'verbatim' ? { kind: 'verbatim', format: 'txt', bytes } : { kind: 'bulk', bytes }
  })(client, request)

/** Channel and number in turns: the numbers of one channel are added up, but who waits for notifications is at all shards. */
const sumOfPairs: Join = (answers) =>
  firstError(answers) ?? {
    kind: 'array',
    items: itemsOf(answers[0]).map((item, index): RespValue => {
      if (index % 2 === 0) return item
      const numbers = answers.map((answer) => itemsOf(answer)[index])
      const channel = itemsOf(answers[0])[index - 1]
      const isEverywhere = mayNotify(false, (channel && textOf(channel)) ?? '')
      return (isEverywhere ? greatest : sum)(numbers.flatMap((number) => number ?? []))
    }),
  }

const distinct: Join = (answers) => {
  const error = firstError(answers)
  if (error) return error
  const byText = new Map(answers.flatMap(itemsOf).map((item) => [textOf(item), item] as const))
  return { kind: 'array', items: [...byText.values()] }
}

/** What it tells of a key is known where the key is; what it does to a server, it does to all. */
const OF_A_KEY = new Set(['object', 'sdslen', 'listpack', 'ziplist', 'quicklist', 'htstats-key'])
const OF_EACH = new Set([
  'sleep',
  'reload',
  'loadaof',
  'jmap',
  'set-active-expire',
  'quicklist-packed-threshold',
  'log',
])
const debug: Handler = (client, request) => {
  const what = lowerWord(request, 1)
  const [, , key] = request.words
  if (OF_A_KEY.has(what) && key) sendToSlot(client, hashSlotOf(key), request.raw)
  else return OF_EACH.has(what) ? everywhere(first)(client, request) : anywhere(client, request)
  return true
}

/** The engine's own count when none is asked for; -1 asks for all. */
const SLOWLOG_ENTRIES = 10

/** The newest of all shards: as many as were asked for. */
const slowlog: Handler = (client, request) => {
  const asked = request.words.length > 2 ? Number(textWord(request, 2)) : SLOWLOG_ENTRIES
  const get: Join = (answers) => {
    const entries = answers.flatMap(itemsOf).sort((a, b) => numberOf(itemsOf(b)[1]) - numberOf(itemsOf(a)[1]))
    const items = asked >= 0 ? entries.slice(0, asked) : entries
    return firstError(answers) ?? { kind: 'array', items }
  }
  return bySubcommand({ get, len: sum, reset: first })(client, request)
}

export const FAN_OUTS: Readonly<Record<string, Handler>> = {
  debug,
  keys: everywhere(concatenation),
  dbsize: everywhere(sum),
  flushall: everywhere(first),
  flushdb: everywhere(first),
  scan,
  randomkey: randomKey,
  info,
  script,
  function: (client, request) =>
    lowerWord(request, 1) === 'kill'
      ? kill(client, request)
      : bySubcommand({ load: first, delete: first, flush: first, restore: first })(client, request),
  wait,
  waitaof: wait,
  lastsave: everywhere(least),
  slowlog,
  acl: bySubcommand({ setuser: first, deluser: first, load: first, save: first }),
  config: bySubcommand({ set: first, resetstat: first, rewrite: first }),
  latency: bySubcommand({ reset: sum, latest: latestOfAll, history: historyOfAll, histogram: histogramOfAll }),
  pubsub: bySubcommand({
    channels: distinct,
    numsub: sumOfPairs,
    numpat: sum,
    shardchannels: distinct,
    shardnumsub: sumOfPairs,
  }),
  bgsave: everywhere(first),
  save: everywhere(first),
  bgrewriteaof: everywhere(first),
}
