import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allPermissions, isPermission, MANAGEMENT_ROLES, permissionsOf } from './permissions.ts'

test('an administrator may do everything, and the role "none" nothing', () => {
  assert.deepEqual([...permissionsOf('admin')], allPermissions())
  assert.equal(permissionsOf('none').size, 0)
})

test('every role has as many permissions as the reference gives it', () => {
  const counts = MANAGEMENT_ROLES.map((role) => [role, permissionsOf(role).size])
  assert.deepEqual(Object.fromEntries(counts), {
    admin: 96,
    cluster_member: 62,
    cluster_viewer: 39,
    db_member: 60,
    db_viewer: 37,
    user_manager: 59,
    none: 0,
  })
})

test('whoever only looks changes nothing', () => {
  for (const role of ['cluster_viewer', 'db_viewer'] as const) {
    for (const permission of permissionsOf(role)) assert.match(permission, /^view_/)
  }
})

test('knows a permission from any other word', () => {
  assert.ok(isPermission('create_bdb'))
  assert.ok(!isPermission('toString'))
})
