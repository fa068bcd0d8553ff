import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeCommand, encodeCommands, encodeValue } from './encode.ts'
import { RespParser, RespProtocolError } from './parser.ts'
import type { RespEntry, RespValue } from './value.ts'

const text = fc.string({ unit: 'binary' })
const line = text.map((value) => value.replace(/[\r\n]/g, ' '))
const bytes = fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value))

const values = fc.letrec<{ leaf: RespValue; plain: RespValue; any: RespValue; entries: RespEntry[] }>((tie) => ({
  leaf: fc.oneof(
    line.map((value): RespValue => ({ kind: 'status', text: value })),
    line.map((value): RespValue => ({ kind: 'error', text: value, bulk: false })),
    text.map((value): RespValue => ({ kind: 'error', text: value, bulk: true })),
    fc.maxSafeInteger().map((value): RespValue => ({ kind: 'integer', value: value + 0 })),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }).map((value): RespValue => ({ kind: 'integer', value })),
    bytes.map((value): RespValue => ({ kind: 'bulk', bytes: value })),
    fc.constantFrom('bulk', 'array', 'resp3').map((form): RespValue => ({ kind: 'null', form })),
    fc.boolean().map((value): RespValue => ({ kind: 'boolean', value })),
    fc.double().map((value): RespValue => ({ kind: 'double', value })),
    fc.bigInt().map((value): RespValue => ({ kind: 'big', value })),
    bytes.map((value): RespValue => ({ kind: 'verbatim', format: 'txt', bytes: value })),
  ),
  entries: fc.array(fc.tuple(tie('any'), tie('any')), { maxLength: 3 }),
  plain: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'resp' },
    tie('leaf'),
    fc
      .tuple(fc.constantFrom('array', 'set', 'push'), fc.array(tie('any'), { maxLength: 4, depthIdentifier: 'resp' }))
      .map(([kind, items]): RespValue => ({ kind, items })),
    tie('entries').map((entries): RespValue => ({ kind: 'map', entries })),
  ),
  any: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'resp' },
    tie('plain'),
    fc
      .tuple(tie('entries'), tie('plain'))
      .map(([attributes, value]): RespValue => ({ kind: 'attributed', attributes, value })),
  ),
}))

function parseInPieces(stream: Buffer, cuts: readonly number[]): RespValue[] {
  const parser = new RespParser()
  const ends = [...cuts.map((cut) => cut % (stream.length + 1)), stream.length].sort((a, b) => a - b)
  let from = 0
  return ends.flatMap((end) => {
    const piece = stream.subarray(from, end)
    from = end
    return parser.push(piece)
  })
}

test('reads back any values, cut into any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(values.any, { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat(), { maxLength: 20 }),
      (sent, cuts) => {
        const stream = Buffer.concat(sent.map(encodeValue))
        assert.deepStrictEqual(parseInPieces(stream, cuts), sent)
      },
    ),
    { numRuns: 500 },
  )
})

test('reads back any values one byte at a time', () => {
  fc.assert(
    fc.property(values.any, (value) => {
      const stream = encodeValue(value)
      assert.deepStrictEqual(parseInPieces(stream, [...stream.keys()]), [value])
    }),
  )
})

test('says a command as bulk strings, whatever its words hold', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(text, bytes, fc.integer()), { minLength: 1 }), (words) => {
      const [value] = new RespParser().push(encodeCommand(words))
      assert.ok(value?.kind === 'array')
      const read = value.items.map((item) => (item.kind === 'bulk' ? item.bytes : null))
      assert.deepStrictEqual(
        read,
        words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word)))),
      )
    }),
  )
  assert.equal(
    encodeCommands([['PING'], ['GET', 'é', 1]]).toString(),
    '*1\r\n$4\r\nPING\r\n*3\r\n$3\r\nGET\r\n$2\r\né\r\n$1\r\n1\r\n',
  )
  assert.throws(() => encodeCommand([]), RangeError)
})

test('throws nothing but RespProtocolError, whatever arrives, and says the same again', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: fc.constantFrom(...'*$+-:_#,(=%~>|!0123456789.eE\r\nxt') }).map((s) => Buffer.from(s)),
      ),
      (noise) => {
        const parser = new RespParser({ maxBulkBytes: 1000, maxValues: 1000 })
        try {
          parser.push(Buffer.from(noise))
        } catch (error) {
          assert.ok(error instanceof RespProtocolError)
          assert.throws(() => parser.push(Buffer.from('+OK\r\n')), RespProtocolError)
        }
      },
    ),
    { numRuns: 1000 },
  )
})

const refused: readonly { readonly stream: string; readonly says: RegExp }[] = [
  { stream: '$9999999\r\n', says: /larger than/ },
  { stream: `+${'x'.repeat(500)}`, says: /longer than/ },
  { stream: '*1\r\n'.repeat(20), says: /levels/ },
  { stream: '*90\r\n*90\r\n', says: /values in one reply/ },
  { stream: '$?\r\n', says: /not a length/ },
  { stream: '*-2\r\n', says: /not a length/ },
  { stream: '$3\r\nabcde\r\n', says: /CR LF/ },
  { stream: ':1.5\r\n', says: /not an integer/ },
  { stream: '@x\r\n', says: /no type/ },
]
for (const { stream, says } of refused) {
  test(`refuses ${JSON.stringify(stream.slice(0, 20))}`, () => {
    const parser = new RespParser({ maxBulkBytes: 1000, maxLineBytes: 100, maxDepth: 10, maxValues: 100 })
    assert.throws(() => parser.push(Buffer.from(stream)), says)
  })
}
