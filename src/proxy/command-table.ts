/**
 * What the proxy knows of each command: where its first key is, and how it is treated. Callers: the client connection
 * (for every request, so a name is looked up by its bytes without making a string), the router, the docs.
 *
 * Only the first key matters: a command whose keys lie in several slots is sent to the slot of the first, and the engine
 * itself answers CROSSSLOT. Commands that are not in the table are learned from the engine's COMMAND.
 */
import type { RequestKind } from '#model/statistics/readings.ts'
import { Latency } from './latency.ts'

/** How a request finds its way. */
export type Treatment =
  /** To the shard of its first key, over a connection that all clients share. */
  | 'keyed'
  /** The same over a connection of its own, since it may wait there. */
  | 'blocking'
  /** Cut into one request per slot, and the replies joined. */
  | 'split'
  /** To every shard, and the replies joined. */
  | 'everywhere'
  /** To one shard: all would answer the same. */
  | 'anywhere'
  /** Answered by the proxy, which alone knows its clients. */
  | 'local'
  /** Changes what the client's connection is: transactions, subscriptions, tracking. */
  | 'session'
  /** Refused, with the reason. */
  | 'refused'

/** Where the first key is. */
export type KeyPlace =
  | { readonly kind: 'none' }
  | { readonly kind: 'at'; readonly index: number }
  /** Behind a count of keys; a count of 0 means none. */
  | { readonly kind: 'counted'; readonly index: number }
  /** Behind the word STREAMS. */
  | { readonly kind: 'streams' }

export type Command = {
  readonly name: string
  readonly treatment: Treatment
  readonly key: KeyPlace
  /** The index of the first key of the simplest commands, which are nearly all traffic; 0 for everything else. */
  readonly fastKey: number
  /** What it does to data, as the engine's flags say. */
  kind: RequestKind
  /** How often it was asked for. */
  calls: number
}

const words = (text: string) => text.trim().split(/\s+/)

const KEY_FIRST = words(`
  append bitcount bitfield bitfield_ro bitpos copy decr decrby delex digest dump expire expireat expiretime geoadd
  geodist geohash geopos georadius georadius_ro georadiusbymember georadiusbymember_ro geosearch geosearchstore get
  getbit getdel getex getrange getset hdel hexists hexpire hexpireat hexpiretime hget hgetall hgetdel hgetex hincrby
  hincrbyfloat hkeys hlen hmget hmset hpersist hpexpire hpexpireat hpexpiretime hpttl hrandfield hscan hset hsetex hsetnx
  hstrlen httl hvals incr incrby incrbyfloat lcs lindex linsert llen lmove lpop lpos lpush lpushx lrange lrem lset ltrim
  move msetnx persist pexpire pexpireat pexpiretime pfadd pfcount pfmerge psetex pttl rename renamenx restore rpop
  rpoplpush rpush rpushx sadd scard sdiff sdiffstore set setbit setex setnx setrange sinter sinterstore sismember
  smembers smismember smove sort sort_ro spop spublish srandmember srem sscan strlen substr sunion sunionstore ttl type
  vadd vcard vdim vemb vgetattr vinfo vismember vlinks vrandmember vrange vrem vsetattr vsim xack xackdel xadd xautoclaim
  xcfgset xclaim xdel xdelex xlen xpending xrange xrevrange xsetid xtrim zadd zcard zcount zdiffstore zincrby
  zinterstore zlexcount zmscore zpopmax zpopmin zrandmember zrange zrangebylex zrangebyscore zrangestore zrank zrem
  zremrangebylex zremrangebyrank zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore
  zunionstore`)
const KEY_SECOND = words('bitop object xgroup xinfo pfdebug memory')
const COUNTED_FIRST = words('lmpop sintercard zdiff zinter zintercard zmpop zunion msetex')
const COUNTED_SECOND = words('eval eval_ro evalsha evalsha_ro fcall fcall_ro')
const BLOCKING_KEY_FIRST = words('blmove blpop brpop brpoplpush bzpopmax bzpopmin')
const BLOCKING_COUNTED = words('blmpop bzmpop')
const SPLIT = words('mget mset del unlink exists touch')
const EVERYWHERE = words(`
  keys dbsize flushall flushdb scan randomkey info script function wait waitaof lastsave slowlog config bgsave save
  bgrewriteaof latency pubsub debug acl`)
const ANYWHERE = words('time lolwut command publish module')
const LOCAL = words('ping echo quit reset auth hello select client cluster readonly readwrite')
const SESSION = words(`
  multi exec discard watch unwatch subscribe psubscribe ssubscribe unsubscribe punsubscribe sunsubscribe`)
const REFUSED = words(`
  asking failover migrate monitor psync replconf replicaof restore-asking shutdown slaveof swapdb sync role hotkeys`)

const NONE: KeyPlace = { kind: 'none' }
const at = (index: number): KeyPlace => ({ kind: 'at', index })
const counted = (index: number): KeyPlace => ({ kind: 'counted', index })

function commandOf(name: string, treatment: Treatment, key: KeyPlace): Command {
  const fastKey = treatment === 'keyed' && key.kind === 'at' ? key.index : 0
  return { name, treatment, key, fastKey, kind: 'other', calls: 0 }
}

const ROWS: readonly (readonly [readonly string[], Treatment, KeyPlace])[] = [
  [KEY_FIRST, 'keyed', at(1)],
  [KEY_SECOND, 'keyed', at(2)],
  [COUNTED_FIRST, 'keyed', counted(1)],
  [COUNTED_SECOND, 'keyed', counted(2)],
  [['xread', 'xreadgroup'], 'blocking', { kind: 'streams' }],
  [BLOCKING_KEY_FIRST, 'blocking', at(1)],
  [BLOCKING_COUNTED, 'blocking', counted(2)],
  [SPLIT, 'split', at(1)],
  [EVERYWHERE, 'everywhere', NONE],
  [ANYWHERE, 'anywhere', NONE],
  [LOCAL, 'local', NONE],
  [SESSION, 'session', NONE],
  [REFUSED, 'refused', NONE],
]
export const KNOWN_COMMANDS: readonly Command[] = ROWS.flatMap(([names, treatment, key]) =>
  names.map((name) => commandOf(name, treatment, key)),
)

/** Prime and sparse: nearly every name is found at the first look. */
const TABLE_SIZE = 4093
const MAX_NAME_BYTES = 64

export class CommandTable {
  readonly #slots: (Command | undefined)[] = new Array(TABLE_SIZE).fill(undefined)
  readonly #names: (Buffer | undefined)[] = new Array(TABLE_SIZE).fill(undefined)
  #count = 0
  readonly latencies = { read: new Latency(), write: new Latency(), other: new Latency() }
  /** Of names that nobody has told it. */
  unknownCalls = 0

  constructor() {
    for (const command of KNOWN_COMMANDS) this.#add({ ...command })
  }

  *all(): Generator<Command> {
    for (const command of this.#slots) if (command) yield command
  }

  callsOf(name: string): number {
    const bytes = Buffer.from(name)
    return this.find(bytes, 0, bytes.length)?.calls ?? 0
  }

  /** Undefined for a name that nobody has told it. `bytes[from, to)` is the name in any case of letters. */
  find(bytes: Uint8Array, from: number, to: number): Command | undefined {
    const length = to - from
    if (length > MAX_NAME_BYTES) return undefined
    let hash = length
    for (let index = from; index < to; index++) hash = (Math.imul(hash, 31) + ((bytes[index] ?? 0) | 0x20)) | 0
    let slot = (hash >>> 0) % TABLE_SIZE
    for (;;) {
      const name = this.#names[slot]
      if (name === undefined) return undefined
      if (name.length === length && isSame(name, bytes, from)) return this.#slots[slot]
      slot = (slot + 1) % TABLE_SIZE
    }
  }

  /** As COMMAND tells it. Of a command that is known only what it does to data is new. */
  learn(name: string, firstKey: number, isBlocking: boolean, counts: number, kind: Command['kind']): void {
    const lower = name.toLowerCase()
    const bytes = Buffer.from(lower)
    const known = this.find(bytes, 0, bytes.length)
    if (known) known.kind = kind
    if (known || this.#count > TABLE_SIZE / 2) return
    const key = counts > 0 ? counted(counts) : firstKey > 0 ? at(firstKey) : NONE
    this.#add({ ...commandOf(lower, key === NONE ? 'anywhere' : isBlocking ? 'blocking' : 'keyed', key), kind })
  }

  #add(command: Command): void {
    const name = Buffer.from(command.name)
    let hash = name.length
    for (const byte of name) hash = (Math.imul(hash, 31) + (byte | 0x20)) | 0
    let slot = (hash >>> 0) % TABLE_SIZE
    while (this.#names[slot] !== undefined) slot = (slot + 1) % TABLE_SIZE
    this.#names[slot] = name
    this.#slots[slot] = command
    this.#count++
  }
}

/** `name` is in small letters. */
function isSame(name: Buffer, bytes: Uint8Array, from: number): boolean {
  for (let index = 0; index < name.length; index++) {
    const byte = bytes[from + index] ?? 0
    const small = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (name[index] !== small) return false
  }
  return true
}

/** Which word is the first key; 0 when there is none, or the request is too short to have one. */
export function firstKeyIndex(command: Command, request: readonly Buffer[]): number {
  const { key } = command
  switch (key.kind) {
    case 'none':
      return 0
    case 'at':
      return key.index < request.length ? key.index : 0
    case 'counted':
      return Number(request[key.index]?.toString('latin1')) > 0 && key.index + 1 < request.length ? key.index + 1 : 0
    case 'streams': {
      const found = request.findIndex((word, index) => index > 0 && word.toString('latin1').toLowerCase() === 'streams')
      return found > 0 && found + 1 < request.length ? found + 1 : 0
    }
  }
}
