import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Compile } from 'typebox/compile'
import { BootstrapRequest } from './bootstrap.ts'
import { ClusterObject } from './cluster.ts'
import { ClusterPolicy } from './cluster-policy.ts'
import { DatabaseObject } from './database/schema.ts'
import type { Field } from './field.ts'
import { NodeObject } from './node.ts'
import { readValue } from './values.ts'

/** Values near the edge of being right, and now and then something else entirely. */
function around(field: Field): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 9, arbitrary: ofItsKind(field) }, { weight: 1, arbitrary: fc.jsonValue() })
}

function ofItsKind(field: Field): fc.Arbitrary<unknown> {
  if (field.enum) return fc.constantFrom(...field.enum, 'other', 3)
  const { minimum = -5, maximum = 5, maxLength = 20 } = field
  switch (field.type) {
    case 'integer':
    case 'number': {
      const edges = fc.constantFrom(minimum - 1, minimum, maximum, maximum * 2, 1e300, -0)
      return fc.oneof(edges, fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }))
    }
    case 'string':
      return fc.oneof(fc.string(), fc.constant('a'.repeat(maxLength)), fc.constant('a'.repeat(maxLength + 1)))
    case 'boolean':
      return fc.boolean()
    case 'array':
      return fc.array(field.items ? around(field.items) : fc.jsonValue(), { maxLength: 3 })
    default: {
      const members = Object.fromEntries(
        Object.entries(field.properties ?? {}).map(([name, one]) => [name, around(one)]),
      )
      const whole = fc.record(members, { requiredKeys: [] })
      const required = fc.record(members, { requiredKeys: [...(field.required ?? [])] })
      return fc.oneof(
        required,
        required,
        whole,
        whole.map((value) => ({ ...value, nobody: 1 })),
      )
    }
  }
}

const SETTABLE = [DatabaseObject, ClusterObject, ClusterPolicy, NodeObject, BootstrapRequest].flatMap((schema) =>
  Object.entries(schema.properties).filter(([, field]) => field['x-effect'] !== 'reported'),
)

test('judges every field as the compiled schema does', () => {
  for (const [name, field] of SETTABLE) {
    const compiled = Compile(field)
    fc.assert(
      fc.property(around(field), (value) => {
        const reading = readValue(field, value, { path: name, secret: false, current: undefined })
        if (reading.ok) assert.ok(compiled.Check(reading.value), JSON.stringify(value))
        // A refusal may come before a type is found to be wrong further on.
        else if (/^(invalid|unknown)_field$/.test(reading.problem.code))
          assert.ok(!compiled.Check(value), reading.problem.description)
      }),
      { numRuns: 60 },
    )
  }
})

test('reads what it has read to the same value', () => {
  for (const [name, field] of SETTABLE) {
    const context = { path: name, secret: false, current: undefined }
    fc.assert(
      fc.property(around(field), (value) => {
        const once = readValue(field, value, context)
        if (once.ok) assert.deepEqual(readValue(field, once.value, context), once)
      }),
      { numRuns: 30 },
    )
  }
})
