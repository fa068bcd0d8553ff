/**
 * SCAN over all shards with one cursor: the shard's own cursor, with the place of the shard among those that have
 * slots beside it. Callers: the router. A cursor has 64 bits: the low 10 are the shard, the upper 54 the shard's own,
 * which no table is large enough to use up. When the slots move to other shards in the middle, keys may be missed or
 * seen twice, as when a server is replaced.
 */
import { encodeValue } from '#resp/encode.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { Client } from './client.ts'
import { errorValue, itemsOf } from './join.ts'
import { NOT_SERVED } from './passing.ts'
import { errorLine, type Request, textWord, wrongArguments } from './request.ts'

const SHARD_BITS = 10n
const SHARD_MASK = (1n << SHARD_BITS) - 1n
const LARGEST = (1n << 64n) - 1n

export function joinCursor(own: bigint, shard: number): bigint {
  return (own << SHARD_BITS) | BigInt(shard)
}

export function splitCursor(cursor: bigint): { own: bigint; shard: number } {
  return { own: cursor >> SHARD_BITS, shard: Number(cursor & SHARD_MASK) }
}

export function scan(client: Client, request: Request): boolean {
  const text = textWord(request, 1)
  const shards = client.endpoint.slots.serving
  if (request.words.length < 2) client.reply(wrongArguments('scan'))
  else if (!/^\d{1,20}$/.test(text) || BigInt(text) > LARGEST) client.reply(errorLine('ERR invalid cursor'))
  else {
    const { own, shard } = splitCursor(BigInt(text))
    const target = shards[shard]
    if (shards.length === 0 || !client.pool) client.reply(NOT_SERVED)
    // The shard is not there any more: the scan is over.
    else if (!target) client.reply(Buffer.from('*2\r\n$1\r\n0\r\n*0\r\n'))
    else {
      const words = ['SCAN', own.toString(), ...request.words.slice(2)]
      const answer = ask(client.pool.forShard(target), words)
      const pending = client.enqueue()
      void answer.then((value) => client.complete(pending, encodeValue(withCursor(value, shard, shards.length))))
    }
  }
  return true
}

/** The shard's answer with the cursor of the whole: when it is through, the next shard begins. */
function withCursor(value: RespValue, shard: number, shardCount: number): RespValue {
  const [cursor, keys] = itemsOf(value)
  if (!cursor || !keys) return value
  const own = BigInt(textOf(cursor) ?? '0')
  if (own > LARGEST >> SHARD_BITS) return errorValue('ERR the cursor of a shard is too large to be passed on')
  const isThrough = own === 0n
  const isLast = shard + 1 >= shardCount
  const next = isThrough ? (isLast ? 0n : joinCursor(0n, shard + 1)) : joinCursor(own, shard)
  return { kind: 'array', items: [{ kind: 'bulk', bytes: Buffer.from(next.toString()) }, keys] }
}
