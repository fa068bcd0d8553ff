import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COLLECTED_NAMES, collectorSettings, Diagnostics, diagnosticsParser } from './diagnostics.ts'
import { defaultsOf } from './parse.ts'

test('every target has a time, those of the reference, and only the slow log a number of entries', () => {
  assert.equal(COLLECTED_NAMES.length, 13)
  for (const [name, preset] of Object.entries(defaultsOf(Diagnostics))) {
    const isRare = name === 'command_stats_target' || name === 'network_stats_target'
    const cron_expression = isRare ? '*/30 * * * *' : '*/10 * * * *'
    assert.deepEqual(preset, name === 'slowlog_target' ? { cron_expression, max_entries: 100 } : { cron_expression })
  }
})

test('a part of a target may be given, and times that are none are refused by their name', () => {
  const parse = (body: object) => diagnosticsParser().parse(body, 'update', defaultsOf(Diagnostics))
  const parsed = parse({ slowlog_target: { max_entries: 5 } })
  assert.ok(parsed.ok)
  assert.deepEqual(collectorSettings(parsed.value, 'slowlog'), { cron: '*/10 * * * *', maxEntries: 5 })
  for (const [body, code, field] of [
    [{ bdb_target: { cron_expression: 'often' } }, 'invalid_field', 'bdb_target.cron_expression'],
    [{ bdb_target: { cron_expression: '* * * * * *' } }, 'invalid_field', 'bdb_target.cron_expression'],
    [{ bdb_target: { max_entries: 5 } }, 'unknown_field', 'bdb_target.max_entries'],
    [{ slowlog_target: { max_entries: 0 } }, 'invalid_field', 'slowlog_target.max_entries'],
    [{ slow_target: {} }, 'unknown_field', 'slow_target'],
  ] as const) {
    const { problem } = Object(parse(body))
    assert.deepEqual([problem?.code, problem?.field], [code, field], JSON.stringify(body))
  }
})
