/**
 * Key → hash slot, as every Redis Cluster node and client computes it: CRC16 (XMODEM) of the key, or of its hash tag,
 * modulo 16384. Callers: the proxy and the planner of slot moves. It must agree bit for bit with the engine's
 * `keyHashSlot`, or a write is sent to the wrong shard; the known vectors beside this file hold it to that.
 */
import { SLOT_COUNT } from '#model/slots.ts'

const OPEN = 0x7b // {
const CLOSE = 0x7d // }
const POLYNOMIAL = 0x1021

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8
  for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? (crc << 1) ^ POLYNOMIAL : crc << 1
  return crc & 0xffff
})

export function crc16(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) crc = ((crc << 8) ^ (table[((crc >> 8) ^ byte) & 0xff] ?? 0)) & 0xffff
  return crc
}

export function hashSlot(key: string | Uint8Array): number {
  const bytes = typeof key === 'string' ? Buffer.from(key, 'utf8') : key
  return crc16(hashTag(bytes)) % SLOT_COUNT
}

/** The same for `bytes[start, end)`, without making a view: the proxy asks for every command. */
export function hashSlotWithin(bytes: Uint8Array, start: number, end: number): number {
  let from = start
  let to = end
  for (let open = start; open < end; open++) {
    if (bytes[open] !== OPEN) continue
    let close = open + 1
    while (close < end && bytes[close] !== CLOSE) close++
    if (close < end && close > open + 1) {
      from = open + 1
      to = close
    }
    break
  }
  let crc = 0
  for (let at = from; at < to; at++) crc = ((crc << 8) ^ (table[((crc >> 8) ^ (bytes[at] ?? 0)) & 0xff] ?? 0)) & 0xffff
  return crc & (SLOT_COUNT - 1)
}

/** What lies between the first `{` and the next `}`, unless that is empty; otherwise the whole key. */
function hashTag(key: Uint8Array): Uint8Array {
  const open = key.indexOf(OPEN)
  if (open < 0) return key
  const close = key.indexOf(CLOSE, open + 1)
  return close > open + 1 ? key.subarray(open + 1, close) : key
}
