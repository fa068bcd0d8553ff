/**
 * Numbers of a sample in few bytes, and none of them changed: a zero takes two bits, what a float holds exactly four bytes,
 * and all else eight. Most counters of most objects stand still most of the time. Callers: what keeps samples, in memory
 * or on disk. Pure.
 */
const ZERO = 0
const FLOAT = 1
const DOUBLE = 2
const UNKNOWN = 3
const FLOAT_BYTES = 4
const DOUBLE_BYTES = 8

/** As many as so many numbers take at most. */
export function packedBytesAtMost(count: number): number {
  return codeBytes(count) + count * DOUBLE_BYTES
}

/** Where they end in `target`. NaN: not known. */
export function pack(values: Float64Array, target: Buffer, at: number): number {
  let end = at + codeBytes(values.length)
  target.fill(0, at, end)
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN
    const code = codeOf(value)
    const place = at + (index >> 2)
    target[place] = (target[place] ?? 0) | (code << ((index & 3) * 2))
    if (code === FLOAT) end = target.writeFloatLE(value, end)
    else if (code === DOUBLE) end = target.writeDoubleLE(value, end)
  }
  return end
}

/** `take` gets each of `count` numbers with its place. */
export function unpack(source: Buffer, at: number, count: number, take: (value: number, index: number) => void): void {
  let next = at + codeBytes(count)
  for (let index = 0; index < count; index++) {
    const code = ((source[at + (index >> 2)] ?? 0) >> ((index & 3) * 2)) & 3
    if (code === FLOAT) take(source.readFloatLE(next), index)
    else if (code === DOUBLE) take(source.readDoubleLE(next), index)
    else take(code === ZERO ? 0 : Number.NaN, index)
    next += code === FLOAT ? FLOAT_BYTES : code === DOUBLE ? DOUBLE_BYTES : 0
  }
}

function codeBytes(count: number): number {
  return Math.ceil(count / 4)
}

function codeOf(value: number): number {
  if (value === 0) return ZERO
  if (Number.isNaN(value)) return UNKNOWN
  return Math.fround(value) === value ? FLOAT : DOUBLE
}
