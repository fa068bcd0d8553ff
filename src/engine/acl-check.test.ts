import assert from 'node:assert/strict'
import { test } from 'node:test'
import { askAclProblem } from './acl-check.ts'

const ENGINE = '/usr/bin/redis-server'

test('the engine says what it understands', async () => {
  for (const rules of [
    ['+@all', '~*'],
    ['+@read', '~app:*', '&news:*'],
    ['+get', '(+set ~mine:*)'],
    ['-@all', '%R~a'],
  ])
    assert.equal(await askAclProblem(ENGINE, rules), null, rules.join(' '))
})

test('and what it does not, in its own words', async () => {
  assert.match((await askAclProblem(ENGINE, ['+nonsense'])) ?? '', /Unknown command/)
  assert.match((await askAclProblem(ENGINE, ['+@nonsense'])) ?? '', /Unknown command or category/)
  assert.match((await askAclProblem(ENGINE, ['&a', '&*', '&b'])) ?? '', /pattern/)
})

test('nothing but rules gets to the engine', async () => {
  for (const rule of ['on', '>secret', '~a b', '~a\nuser x on', '"', '(+get', 'include'])
    assert.match((await askAclProblem(ENGINE, [rule])) ?? '', /not an ACL rule/, rule)
})
