/**
 * The routes of users and of their passwords. What a row does is in the file that its handler comes from.
 */
import Type from 'typebox'
import { UserObject } from '#model/access/user.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Route } from '../http/route.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { uidIn } from './changes.ts'
import { addUserPassword, removeUserPassword, setUserPassword } from './passwords.ts'
import { createUser, deleteUser, renderUser, updateUser } from './users.ts'

const BAD_USER: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'missing_field',
  'unsupported_feature',
  'password_not_complex',
  'email_already_exists',
  'name_already_exists',
  ...CHANGE_REFUSALS,
]
const BAD_PASSWORD: readonly RefusalCode[] = [
  'missing_field',
  'invalid_field',
  'user_not_exist',
  'unauthorized_action',
  ...CHANGE_REFUSALS,
]
const BAD_NEW_PASSWORD: readonly RefusalCode[] = [
  ...BAD_PASSWORD,
  'password_not_complex',
  'new_password_same_as_current',
]

const whose = { username: Type.Optional(Type.String({ description: 'Whose password; without it the own.' })) }
const NewPassword = Type.Object({ ...whose, new_password: Type.String() })
const OldPassword = Type.Object({ ...whose, old_password: Type.String() })

export const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/users',
    access: 'view_all_users_info',
    summary: 'All users',
    answers: Type.Array(UserObject),
    refusals: [],
    handle: (_request, parts) => ({
      json: [...parts.state.users.values()]
        .map(({ value }) => value)
        .sort((one, other) => one.uid - other.uid)
        .map((user) => renderUser(parts, user)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/users/{uid}',
    access: 'view_user_info',
    summary: 'One user',
    answers: UserObject,
    refusals: ['user_not_exist'],
    handle: (request, parts) => {
      const user = parts.state.users.get(uidIn(request, 'user_not_exist')) ?? refuse('user_not_exist')
      return { json: renderUser(parts, user.value) }
    },
  },
  {
    method: 'POST',
    path: '/v1/users',
    access: 'create_new_user',
    summary: 'Create a user',
    query: [DRY_RUN],
    body: UserObject,
    answers: UserObject,
    refusals: BAD_USER,
    handle: async (request, parts) => ({ json: renderUser(parts, await createUser(request, parts)) }),
  },
  {
    method: 'PUT',
    path: '/v1/users/{uid}',
    access: 'signed-in',
    summary: 'Change a user; everybody may change their own name, password and alerts',
    query: [DRY_RUN],
    body: UserObject,
    answers: UserObject,
    refusals: [
      ...BAD_USER,
      'user_not_exist',
      'insufficient_permissions',
      'new_password_same_as_current',
      'change_last_admin_role_not_allowed',
    ],
    handle: async (request, parts) => ({ json: renderUser(parts, await updateUser(request, parts)) }),
  },
  {
    method: 'DELETE',
    path: '/v1/users/{uid}',
    access: 'delete_user',
    summary: 'Delete a user, and their account in every database',
    refusals: ['user_not_exist', 'change_last_admin_role_not_allowed', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      await deleteUser(request, parts)
      return { json: null }
    },
  },
  {
    method: 'POST',
    path: '/v1/users/password',
    access: 'own-password',
    summary: 'Add a password',
    body: NewPassword,
    refusals: [...BAD_NEW_PASSWORD, 'invalid_password'],
    handle: async (request, parts) => {
      await addUserPassword(request, parts)
      return { json: null }
    },
  },
  {
    method: 'PUT',
    path: '/v1/users/password',
    access: 'own-password',
    summary: 'Replace all passwords by one',
    body: NewPassword,
    refusals: BAD_NEW_PASSWORD,
    handle: async (request, parts) => {
      await setUserPassword(request, parts)
      return { json: null }
    },
  },
  {
    method: 'DELETE',
    path: '/v1/users/password',
    access: 'own-password',
    summary: 'Remove a password, not the last one',
    body: OldPassword,
    refusals: [...BAD_PASSWORD, 'password_not_exist', 'cannot_delete_last_password'],
    handle: async (request, parts) => {
      await removeUserPassword(request, parts)
      return { json: null }
    },
  },
]
