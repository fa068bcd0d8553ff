/**
 * Who there is and what they may do: users, the roles they have, and the ACLs that roles are given on databases.
 */
import Type, { type Static } from 'typebox'
import { MANAGEMENT_ROLES } from '../permissions.ts'

export const RoleDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  management: Type.Enum([...MANAGEMENT_ROLES]),
  /** The databases that db_member and db_viewer are limited to; null: all. */
  databaseUids: Type.Union([Type.Array(Type.Integer({ minimum: 1 })), Type.Null()]),
})
export type RoleDocument = Static<typeof RoleDocument>

/** What a role may do in a database that gives it this ACL, in the engine's own words: `+@read ~*`. */
export const RedisAclDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  acl: Type.String(),
})
export type RedisAclDocument = Static<typeof RedisAclDocument>

/**
 * `sha256` is the lower-case hex that engines compare with, `hash` what logins to the API are compared with: a slow and
 * salted hash of it, so that it can be made anew without the password.
 */
export const UserPassword = Type.Object({
  hash: Type.String(),
  sha256: Type.String(),
  issuedAt: Type.String(),
})
export type UserPassword = Static<typeof UserPassword>

export const UserDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  /** The user name of Basic auth; empty for those who only use databases. */
  email: Type.String(),
  /** The user name in databases. */
  name: Type.String(),
  authMethod: Type.Union([Type.Literal('regular'), Type.Literal('certificate'), Type.Literal('sso')]),
  /** Who a client certificate has to be for, with authMethod `certificate`. */
  certificateSubject: Type.String(),
  roleUids: Type.Array(Type.Integer({ minimum: 1 })),
  /** Oldest first; several while one is being replaced. */
  passwords: Type.Array(UserPassword),
  /** Whether and about what mail is sent, in the API's field names. */
  alerts: Type.Record(Type.String(), Type.Unknown()),
  createdAt: Type.String(),
})
export type UserDocument = Static<typeof UserDocument>

/**
 * What logins leave behind. Beside the user and not in it: a wrong guess must neither look like a change of the user, nor
 * make what was verified be forgotten.
 */
export const LoginDocument = Type.Object({
  userUid: Type.Integer({ minimum: 1 }),
  failures: Type.Integer({ minimum: 0 }),
  lastFailureAtMs: Type.Integer({ minimum: 0 }),
  /** 0: not locked out. */
  lockedAtMs: Type.Integer({ minimum: 0 }),
  lastLoginAtMs: Type.Integer({ minimum: 0 }),
})
export type LoginDocument = Static<typeof LoginDocument>

/** How the directory is asked. Its settings are in the API's field names; the secret among them stands beside. */
export const LdapDocument = Type.Object({
  settings: Type.Record(Type.String(), Type.Unknown()),
  bindPassword: Type.String(),
})
export type LdapDocument = Static<typeof LdapDocument>

/** Which roles the members of a group of the directory have. */
export const LdapMappingDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  /** The group, as it was written. */
  dn: Type.String(),
  roleUids: Type.Array(Type.Integer({ minimum: 1 })),
  /** Where and about what mail is sent, in the API's field names. */
  alerts: Type.Record(Type.String(), Type.Unknown()),
})
export type LdapMappingDocument = Static<typeof LdapMappingDocument>
