import assert from 'node:assert/strict'
import { test } from 'node:test'
import { wholeAuditing } from './auditing.ts'

const TCP = { audit_protocol: 'TCP', audit_address: '127.0.0.1', audit_port: 12_345 }
const LOCAL = { audit_protocol: 'local', audit_address: '/run/audit.sock' }

test('a listener has an address that fits its protocol, and defaults for the rest', () => {
  for (const given of [
    TCP,
    LOCAL,
    { ...TCP, audit_address: '::1' },
    { ...TCP, audit_address: 'audit-sink.example.com' },
  ]) {
    assert.deepEqual(wholeAuditing(given), {
      ok: true,
      value: {
        audit_reconnect_interval: 1,
        audit_reconnect_max_attempts: 0,
        audit_queue_max_bytes: 524_288,
        ...given,
      },
    })
  }
})

test('what does not fit together is named, with the code that the reference has for it', () => {
  const cases: [object, string, string][] = [
    [{}, 'db_conns_auditing_missing_config', 'audit_protocol'],
    [{ audit_protocol: 'TCP' }, 'db_conns_auditing_missing_config', 'audit_address'],
    [{ audit_protocol: 'TCP', audit_address: 'a' }, 'db_conns_auditing_missing_config', 'audit_port'],
    [{ ...LOCAL, audit_port: 1 }, 'db_conns_auditing_bad_config', 'audit_port'],
    [{ ...LOCAL, audit_address: 'relative.sock' }, 'db_conns_auditing_bad_address', 'audit_address'],
    [{ ...LOCAL, audit_address: `/${'x'.repeat(200)}` }, 'db_conns_auditing_bad_address', 'audit_address'],
    [{ ...LOCAL, audit_address: '/a\u0000b' }, 'db_conns_auditing_bad_address', 'audit_address'],
    [{ ...TCP, audit_address: '/run/audit.sock' }, 'db_conns_auditing_bad_address', 'audit_address'],
    [{ ...TCP, audit_address: 'http://x' }, 'db_conns_auditing_bad_address', 'audit_address'],
    [{ ...TCP, audit_address: 'a..b' }, 'db_conns_auditing_bad_address', 'audit_address'],
  ]
  for (const [given, code, field] of cases) {
    const whole = wholeAuditing({ ...given })
    assert.ok(!whole.ok, JSON.stringify(given))
    assert.deepEqual([whole.problem.code, whole.problem.field], [code, field])
  }
})
