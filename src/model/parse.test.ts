import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bootstrapParser } from './bootstrap.ts'
import { clusterParser } from './cluster.ts'
import { policyParser } from './cluster-policy.ts'
import { DatabaseObject, databaseParser } from './database/schema.ts'
import { applied, kept, refused, reported } from './field.ts'
import { nodeParser } from './node.ts'
import { compileObject } from './parse.ts'
import { anything, flag, list, objectOf, record, settings, text, whole } from './shapes.ts'

const Thing = objectOf('thing', {
  name: applied(text('', 'Its name.', { maxLength: 8 })),
  version: applied(text('', 'Its version.'), { 'x-create-only': true }),
  secret: applied(text('', 'What nobody may see.', { maxLength: 4 }), { 'x-secret': true }),
  keys: applied(list(record({ key: text('', 'A key.', { maxLength: 4 }) }), 'Keys.', 2), { 'x-secret': true }),
  size: applied(whole(1, 'Its size.', { minimum: 1, maximum: 9 })),
  mood: reported(text('good', 'How it is.')),
  flies: refused(flag(false, 'Whether it flies.'), { accepts: [false], why: 'It has no wings.' }),
  extra: kept(anything('Whatever.'), 'Nobody looks.'),
  alerts: applied(
    settings(
      {
        fire: flag(false, 'Fire.'),
        flood: settings({ enabled: flag(true, 'On.'), level: whole(3, 'Level.') }, 'Flood.'),
      },
      'Alerts.',
    ),
  ),
})
const parser = compileObject(Thing, {
  ignored: ['colour'],
  unavailable: { blueprint: { code: 'bad_shards_blueprint', why: 'There is none.' } },
  rules: [
    ({ name }) =>
      name === 'odd' ? { code: 'invalid_configuration', field: 'name', description: 'name must not be odd.' } : null,
  ],
})

function problemOf(input: unknown, mode: 'create' | 'update' = 'create', current?: Record<string, unknown>) {
  const parsed = parser.parse(input, mode, current)
  assert.ok(!parsed.ok, JSON.stringify(parsed))
  return parsed.problem
}

function parsedOf(input: unknown, mode: 'create' | 'update' = 'create', current?: Record<string, unknown>) {
  const parsed = parser.parse(input, mode, current)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  return parsed.value
}

test('returns the given settable fields and nothing else', () => {
  assert.deepEqual(parsedOf({ name: 'a', mood: 'bad', colour: 'red', size: 2 }), { name: 'a', size: 2 })
  assert.deepEqual(parsedOf({}), {})
})

test('names the nearest field for a name that nobody knows', () => {
  const { code, field, description } = problemOf({ nmae: 'a' })
  assert.deepEqual([code, field], ['unknown_field', 'nmae'])
  assert.match(description, /nearest that there is: name\./)
})

test('does not know names that reach behind an object', () => {
  for (const name of ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty']) {
    const input: unknown = JSON.parse(`{"${name}": {"polluted": true}}`)
    assert.equal(problemOf(input).code, 'unknown_field', name)
  }
  assert.equal(problemOf({ extra: JSON.parse('{"a": {"__proto__": {}}}') }).code, 'invalid_field')
  assert.equal(problemOf({ alerts: JSON.parse('{"__proto__": {}}') }).code, 'unknown_field')
})

test('tells the path, what was got and what would be right', () => {
  assert.deepEqual(problemOf({ size: 12 }), {
    code: 'invalid_field',
    field: 'size',
    description: 'size must be an integer from 1 to 9; got 12.',
  })
  assert.equal(problemOf({ alerts: { flood: { level: 'x' } } }).field, 'alerts.flood.level')
  assert.equal(problemOf({ keys: [{ key: 'a' }, {}] }).field, 'keys[1].key')
  assert.match(problemOf({ keys: [1, 2, 3] }).description, /at most 2 items; got a list of 3 items/)
  assert.equal(problemOf([]).description, 'The body must be a JSON object.')
})

test('never repeats a secret', () => {
  for (const input of [{ secret: 'hunter2' }, { keys: [{ key: 'hunter2' }] }]) {
    assert.ok(!JSON.stringify(problemOf(input)).includes('hunter2'))
  }
})

test('refuses what cannot be had, and says why', () => {
  assert.deepEqual(problemOf({ flies: true }), {
    code: 'unsupported_feature',
    field: 'flies',
    description: 'flies can only be false here. It has no wings.',
  })
  assert.deepEqual(parsedOf({ flies: false }), { flies: false })
  assert.equal(problemOf({ blueprint: [] }).code, 'bad_shards_blueprint')
  assert.equal(problemOf({ name: 'odd' }).code, 'invalid_configuration')
})

test('takes what is chosen once on creation, and later only if it stays the same', () => {
  assert.deepEqual(parsedOf({ version: '7' }), { version: '7' })
  assert.deepEqual(parsedOf({ version: '7' }, 'update', { version: '7' }), {})
  assert.equal(problemOf({ version: '8' }, 'update', { version: '7' }).field, 'version')
})

test('keeps the rest of an object of which a part is sent', () => {
  const current = { alerts: { fire: true, flood: { enabled: false, level: 5 } } }
  const part = { alerts: { flood: { level: 4 } } }
  assert.deepEqual(parsedOf(part, 'update', current), { alerts: { fire: true, flood: { enabled: false, level: 4 } } })
  assert.deepEqual(parsedOf(part), { alerts: { fire: false, flood: { enabled: true, level: 4 } } })
})

test('never throws, for any JSON', () => {
  const parsers = [parser, databaseParser(), clusterParser(), policyParser(), nodeParser(), bootstrapParser()]
  const names = fc.constantFrom(...Object.keys(DatabaseObject.properties))
  const bodies = fc.oneof(fc.jsonValue(), fc.dictionary(fc.oneof(names, fc.string()), fc.jsonValue()))
  fc.assert(
    fc.property(bodies, fc.constantFrom<'create' | 'update'>('create', 'update'), (body, mode) => {
      for (const one of parsers) {
        const parsed = one.parse(body, mode, {})
        if (!parsed.ok) assert.ok(parsed.problem.description.length < 1_000)
      }
    }),
    { numRuns: 1_000 },
  )
})

test('never throws for JSON that is nested very deeply', () => {
  const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`)
  for (const name of ['extra', 'name', 'keys', 'alerts', 'size'])
    assert.equal(problemOf({ [name]: deep }).code, 'invalid_field')
  assert.equal(problemOf({ extra: { deep } }).code, 'invalid_field')
})
