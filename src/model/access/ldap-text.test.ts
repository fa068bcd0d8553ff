import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dnKey, filledDn, filledFilter } from './ldap-text.ts'

test('DNs that name the same entry have the same key, others have not', () => {
  const key = dnKey('cn=Admins,ou=groups,dc=example,dc=org')
  for (const same of [
    'CN=admins,OU=Groups,DC=example,DC=org',
    ' cn = Admins , ou=groups;dc=example,dc=org ',
    'cn=\\41dmins,ou=groups,dc=example,dc=org',
  ])
    assert.equal(dnKey(same), key, same)
  for (const other of ['cn=Admins,ou=groups,dc=example', 'cn=Admins\\,ou=groups,dc=example,dc=org', 'cn=Admins'])
    assert.notEqual(dnKey(other), key, other)
  assert.equal(dnKey('cn=a+uid=1,dc=x'), dnKey('UID=1+cn=a,dc=x'))
  assert.equal(dnKey('cn=J\\c3\\b6rg'), dnKey('cn=jörg'))
  assert.equal(dnKey('cn=Smith\\, John'), dnKey('cn=smith\\2c john'))
  assert.notEqual(dnKey('cn=a\\+cn=b'), dnKey('cn=a+cn=b'))
  assert.notEqual(dnKey('cn=a\\22\\2c\\22b'), dnKey('cn=a,cn=b'))
})

test('what is no DN has no key', () => {
  for (const bad of [
    '',
    ' ',
    'admins',
    'cn=',
    '=x',
    'cn=a,',
    ',cn=a',
    'cn=a,,cn=b',
    'cn=a\\',
    'cn="a"',
    'cn=a<b',
    'c n=a',
  ])
    assert.equal(dnKey(bad), null, bad)
})

test('a name is one value of a DN, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (name) => {
      const filled = filledDn('cn=%u,ou=people,dc=x', name)
      assert.equal(filled.split(/(?<!\\),/).length, 3, filled)
      assert.doesNotMatch(filled.slice(3, -'ou=people,dc=x'.length - 1), /[,+"<>;=\0]/)
      if (name.trim() !== '') assert.equal(dnKey(filled)?.split('","')[1]?.length === 0, false)
    }),
  )
  assert.equal(filledDn('cn=%u,dc=x', 'a,ou=b'), 'cn=a\\2cou\\3db,dc=x')
  assert.equal(filledDn('cn=%u,dc=x', ' a b '), 'cn=\\20a b\\20,dc=x')
  assert.equal(filledDn('cn=%u,dc=x', '$&'), 'cn=\\24\\26,dc=x')
})

test('a name is one value of a filter, whatever it holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const filled = filledFilter('(cn=%u)', { name, dn: '' }).slice(4, -1)
      assert.doesNotMatch(filled, /[*()\0]|\\(?!5c|2a|28|29|00)/)
    }),
  )
  const who = { name: '%D)(uid=*', dn: 'cn=a\\,b,dc=x' }
  assert.equal(filledFilter('(|(m=%D)(u=%u))', who), '(|(m=cn=a\\5c,b,dc=x)(u=%D\\29\\28uid=\\2a))')
})
