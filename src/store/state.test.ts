import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore } from './memory.ts'
import { Sealer } from './sealing.ts'
import { checkPrefixes, State } from './state.ts'

const prefixes = (...all: readonly string[]) => all.map((prefix) => ({ prefix }))

test('no collection has keys that could be taken for those of another', () => {
  const options = { store: new MemoryStore(), sealer: new Sealer([Buffer.alloc(32)]), onTrouble: () => undefined }
  assert.ok(new State(options))
  checkPrefixes(prefixes('users/', 'user-groups/', 'ocsp-settings', 'ocsp-status'))
  for (const alike of [prefixes('ocsp', 'ocsp-status'), prefixes('sso-logins/', 'sso'), prefixes('users/', 'users/')])
    assert.throws(() => checkPrefixes(alike), /begin with those of/)
})
