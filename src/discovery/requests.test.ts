import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { encodeCommands } from '#resp/encode.ts'
import { RespProtocolError } from '#resp/parser.ts'
import { RequestReader } from './requests.ts'

/** The bytes in pieces that are cut at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((one, other) => one - other)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

const words = fc.array(fc.string({ maxLength: 20 }), { minLength: 1, maxLength: 5 })

test('reads the same requests however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(words, { minLength: 1, maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 6 }),
      (all, places) => {
        const reader = new RequestReader()
        const read = cut(encodeCommands(all), places).flatMap((piece) => reader.push(piece))
        assert.deepEqual(
          read.map((request) => request.map((word) => Buffer.from(word, 'latin1').toString())),
          all,
        )
        assert.equal(reader.isMidway, false)
      },
    ),
  )
})

test('reads lines that are typed, and knows when one has begun', () => {
  const reader = new RequestReader()
  assert.deepEqual(reader.push(Buffer.from('PING\r\n\r\n  sentinel   mas')), [['PING']])
  assert.equal(reader.isMidway, true)
  assert.deepEqual(reader.push(Buffer.from('ters\n')), [['sentinel', 'masters']])
  assert.equal(reader.isMidway, false)
})

test('any bytes are requests or a protocol error, and never anything else', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), fc.boolean(), (chunks, isProtocol) => {
      const reader = new RequestReader()
      try {
        if (isProtocol) reader.push(Buffer.from('*2\r\n'))
        for (const chunk of chunks) for (const request of reader.push(Buffer.from(chunk))) assert.ok(request.length > 0)
      } catch (error) {
        assert.ok(error instanceof RespProtocolError, String(error))
      }
    }),
  )
})
