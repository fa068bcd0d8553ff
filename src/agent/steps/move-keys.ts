/**
 * The keys of slots that leave a shard: how many there are, how large they are, and sending them. While keys are on their
 * way neither shard answers anybody, so they go in parcels of a size that nobody notices: between two of them the engines
 * serve their clients. A key larger than a parcel goes alone.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { CallOptions, ControlConnection } from '#engine/control-connection.ts'
import type { ShardAddress } from '#plan/step.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { CONTROL_USER } from '../accounts.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'

export type Road = {
  readonly own: ControlConnection
  readonly to: ShardAddress
  readonly password: string
  readonly signal: AbortSignal
}

export type Listed = { readonly slot: number; readonly key: Buffer; readonly bytes: number }

const PARCEL_KEYS = 50
const PARCEL_BYTES = 256 * 1024
/** As requests in one piece, between which the engine serves nobody: each waits for an answer of the receiver. */
const PARCELS_TOGETHER = 8
/** Many parcels are of one small key: a timer's millisecond after each load would be most of the time. */
const WORK_BEFORE_REST_MS = 4
/** A key that took long is an exception, and nobody gains by a rest as long as that. */
const LONGEST_REST_MS = 50
/** Asked of one slot at a time; the rest is asked for when these have gone. */
const LISTED_OF_A_SLOT = 500
/** Of the questions that one connection keeps waiting; others ask too. */
const QUESTIONS_AT_ONCE = 250
/** So long a receiver may be silent over a parcel; more for a key that takes longer, at a pace that any machine has. */
const SEND_TIMEOUT_MS = 10_000
/** Over one of several: each waits for itself, one after the other, and nobody else is served meanwhile. */
const SEND_TOGETHER_TIMEOUT_MS = 3_000
const SLOWEST_BYTES_PER_MS = 5_000

export async function countKeys(own: ControlConnection, slots: readonly number[], signal: AbortSignal) {
  const replies = await askAll(
    own,
    slots.map((slot) => ['CLUSTER', 'COUNTKEYSINSLOT', String(slot)]),
    signal,
  )
  return replies.map(numberOf)
}

export async function listKeys(own: ControlConnection, slots: readonly number[], signal: AbortSignal) {
  const lists = await askAll(
    own,
    slots.map((slot) => ['CLUSTER', 'GETKEYSINSLOT', String(slot), String(LISTED_OF_A_SLOT)]),
    signal,
  )
  const keys = lists.flatMap((list, index) => {
    const items = list.kind === 'array' ? list.items : []
    return items.map((item) => ({ slot: slots[index] ?? 0, key: bytesOf(item) }))
  })
  const sizes = await askAll(
    own,
    keys.map(({ key }) => ['MEMORY', 'USAGE', key]),
    signal,
  )
  return keys.map((one, index): Listed => ({ ...one, bytes: numberOf(sizes[index]) }))
}

/**
 * After a few milliseconds' worth of parcels the engines have as long for their clients as it took: half of their time is
 * theirs, however much is to move. Keys that are gone by now are no mistake. Rejects when one could not be sent.
 */
export async function sendKeys(road: Road, listed: readonly Listed[]): Promise<void> {
  let workedMs = 0
  for (const parcels of loadsOf(parcelsOf(listed))) {
    const began = performance.now()
    await sendParcels(road, parcels)
    workedMs += performance.now() - began
    if (workedMs < WORK_BEFORE_REST_MS) continue
    await delay(Math.min(workedMs, LONGEST_REST_MS), undefined, { signal: road.signal })
    workedMs = 0
  }
}

/** Small parcels go several at a time, together no larger than a large one. */
export function loadsOf(parcels: readonly Listed[][]): Listed[][][] {
  const loads: Listed[][][] = []
  for (const parcel of parcels) {
    const last = loads.at(-1)
    const together = [...(last ?? []), parcel]
    if (last && together.length <= PARCELS_TOGETHER && fits(together.flat())) last.push(parcel)
    else loads.push([parcel])
  }
  return loads
}

/** Of one slot each: the engine takes no others together. */
export function parcelsOf(listed: readonly Listed[]): Listed[][] {
  const parcels: Listed[][] = []
  for (const one of listed) {
    const last = parcels.at(-1)
    if (last?.[0]?.slot === one.slot && fits([...last, one])) last.push(one)
    else parcels.push([one])
  }
  return parcels
}

function fits(keys: readonly Listed[]): boolean {
  return keys.length <= PARCEL_KEYS && sizeOf(keys) <= PARCEL_BYTES
}

function sizeOf(keys: readonly Listed[]): number {
  return keys.reduce((sum, { bytes }) => sum + bytes, 0)
}

/**
 * Resolves or rejects when the engine is through with all of them, also after one has failed: as long as it is busy with
 * another it answers nobody, and would be taken for one that hangs.
 */
async function sendParcels({ own, to, password, signal }: Road, parcels: readonly Listed[][]): Promise<void> {
  const silenceMs = parcels.length > 1 ? SEND_TOGETHER_TIMEOUT_MS : SEND_TIMEOUT_MS
  const timeoutMs = silenceMs + Math.ceil(sizeOf(parcels.flat()) / SLOWEST_BYTES_PER_MS)
  const address = [to.host, String(to.ports.clients), '', '0', String(timeoutMs)]
  const requests = parcels.map((parcel) => {
    const keys = parcel.map(({ key }) => key)
    return ['MIGRATE', ...address, 'REPLACE', 'AUTH2', CONTROL_USER, password, 'KEYS', ...keys]
  })
  const options = { timeoutMs: parcels.length * timeoutMs + CONTROL_TIMEOUT_MS, signal }
  const replies = await Promise.allSettled(own.send(requests, options))
  const failed = replies.find((reply) => reply.status === 'rejected')
  if (failed) throw failed.reason
}

async function askAll(
  own: ControlConnection,
  questions: readonly (readonly (string | Buffer)[])[],
  signal: AbortSignal,
): Promise<RespValue[]> {
  const options: CallOptions = { timeoutMs: CONTROL_TIMEOUT_MS, signal }
  const replies: RespValue[] = []
  for (let from = 0; from < questions.length; from += QUESTIONS_AT_ONCE)
    replies.push(...(await Promise.all(own.send(questions.slice(from, from + QUESTIONS_AT_ONCE), options))))
  return replies
}

function numberOf(reply: RespValue | undefined): number {
  return reply?.kind === 'integer' ? Number(reply.value) : 0
}

function bytesOf(item: RespValue): Buffer {
  return item.kind === 'bulk' ? item.bytes : Buffer.from(textOf(item) ?? '')
}
