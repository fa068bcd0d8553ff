/**
 * The judge of histories finds what it is there for, and lets pass what may happen.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Append, type Operation, violationsOf, type WriteOutcome } from './check.ts'

const append = (value: string, startMs: number, length: number, outcome: WriteOutcome = 'kept'): Append => ({
  kind: 'append',
  key: 'k',
  value,
  startMs,
  endMs: outcome === 'unknown' ? Number.POSITIVE_INFINITY : startMs + 1,
  outcome,
  length,
})
const list = (startMs: number, ...values: string[]): Operation => ({
  kind: 'list',
  key: 'k',
  startMs,
  endMs: startMs + 1,
  values,
})
const write = (value: string, startMs: number, outcome: WriteOutcome = 'kept'): Operation => ({
  kind: 'write',
  key: 'k',
  value,
  startMs,
  endMs: outcome === 'unknown' ? Number.POSITIVE_INFINITY : startMs + 1,
  outcome,
})
const register = (startMs: number, value: string | null): Operation => ({
  kind: 'register',
  key: 'k',
  startMs,
  endMs: startMs + 1,
  value,
})

const kinds = (...history: Operation[]) => violationsOf(history).map(({ kind }) => kind)

test('what happened one after another is explained', () => {
  assert.deepEqual(kinds(append('a', 0, 1), append('b', 10, 2), list(20, 'a', 'b')), [])
  assert.deepEqual(kinds(write('a', 0), write('b', 10), register(20, 'b')), [])
})

test('a kept append that is not there is lost, one that was only answered may be', () => {
  assert.deepEqual(kinds(append('a', 0, 1), list(20)), ['lost'])
  assert.deepEqual(kinds(append('a', 0, 1, 'answered'), list(20)), [])
  assert.deepEqual(kinds(append('a', 0, 1), list(0)), [], 'it was under way when it was read')
})

test('an append without an answer may be there or not, a refused one may not', () => {
  assert.deepEqual(kinds(append('a', 0, 0, 'unknown'), list(20, 'a')), [])
  assert.deepEqual(kinds(append('a', 0, 0, 'unknown'), list(20)), [])
  assert.deepEqual(kinds(append('a', 0, 0, 'refused'), list(20, 'a')), ['invented'])
})

test('values that nobody wrote, or twice, or elsewhere than was answered, are found', () => {
  assert.deepEqual(kinds(list(20, 'x')), ['invented'])
  assert.deepEqual(kinds(append('a', 30, 1), list(20, 'a')), ['invented'])
  assert.deepEqual(kinds(append('a', 0, 1, 'answered'), list(20, 'a', 'a')), ['doubled'])
  assert.deepEqual(kinds(append('a', 0, 1), append('b', 10, 2), list(20, 'b', 'a')), ['moved', 'moved'])
  assert.deepEqual(kinds(register(20, 'x')), ['invented'])
  assert.deepEqual(kinds(write('a', 0, 'refused'), register(20, 'a')), ['invented'])
  assert.deepEqual(kinds(write('a', 30), register(20, 'a')), ['invented'])
})

test('writes that are lost with their primary are no split, writes that it takes afterwards are', () => {
  const lostAtTheEnd = [append('a', 0, 1), append('b', 10, 2, 'answered'), append('c', 20, 2)]
  assert.deepEqual(kinds(...lostAtTheEnd, list(40, 'a', 'c')), [])
  const goesOn = [...lostAtTheEnd, append('d', 30, 2, 'answered')]
  assert.deepEqual(kinds(...goesOn, list(40, 'a', 'c')), ['split'])
})

test('a register that goes back is found', () => {
  assert.deepEqual(kinds(write('a', 0), write('b', 10), register(20, 'a')), ['stale'])
  assert.deepEqual(kinds(write('a', 0), write('b', 10, 'answered'), register(20, 'a')), [])
  assert.deepEqual(kinds(write('a', 0), register(20, null)), ['lost'])
  assert.deepEqual(kinds(write('a', 0, 'unknown'), write('b', 10), register(20, 'a')), [], 'it may have come late')
})

test('whatever one honest server answers is explained, and a kept value that is taken out is missed', () => {
  const step = fc.record({
    outcome: fc.constantFrom<WriteOutcome>('kept', 'answered', 'unknown', 'refused'),
    takes: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 30 }), fc.nat(), (steps, drawn) => {
      const values: string[] = []
      const history = steps.flatMap(({ outcome, takes }, index): Operation[] => {
        const happens = outcome === 'kept' || outcome === 'answered' || (outcome === 'unknown' && takes)
        if (happens) values.push(`v${index}`)
        const isAnswered = outcome === 'kept' || outcome === 'answered'
        return [
          append(`v${index}`, index * 10, isAnswered ? values.length : 0, outcome),
          list(index * 10 + 5, ...values),
        ]
      })
      assert.deepEqual(violationsOf([...history, list(1_000, ...values)]), [])
      const kept = history.filter((one) => one.kind === 'append' && one.outcome === 'kept')
      const gone = kept[drawn % Math.max(1, kept.length)]
      if (gone?.kind !== 'append') return
      const short = values.filter((value) => value !== gone.value)
      assert.ok(violationsOf([...history, list(1_000, ...short)]).some(({ kind }) => kind === 'lost'))
    }),
  )
})
