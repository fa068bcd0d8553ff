/**
 * The redis_acl object of the API: rules in the engine's own words, that databases give to roles.
 */
import { applied, kept, reported } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import { INT32_MAX, objectOf, text, uidOf, whole } from '../shapes.ts'
import { NAME_MAX, ROLE_NAME } from './names.ts'

const fields = {
  uid: reported(uidOf('The number of the ACL.')),
  name: applied(text('', 'Its name, unlike any other.', { maxLength: NAME_MAX, pattern: ROLE_NAME })),
  acl: applied(text('', 'Rules for commands, keys and channels: "+@read ~app:*".', { maxLength: 16_384 })),
  account_id: kept(whole(0, 'A number of an account.', { maximum: INT32_MAX }), 'There are no accounts here.'),
  action_uid: reported(text('', 'ACLs change at once: never set.')),
  min_version: reported(text('', 'The oldest engine that understands it.')),
  max_version: reported(text('', 'The newest engine that understands it.')),
}

export const RedisAclObject = objectOf('redis_acl', fields)

export type GivenRedisAcl = { readonly name?: string; readonly acl?: string }

export const redisAclParser: ObjectParser<GivenRedisAcl> = compileObject<GivenRedisAcl>(RedisAclObject)

/** The first word that says who may log in instead of what they may do; undefined when there is none. */
export function wordAboutLogin(acl: string): string | undefined {
  return acl
    .split(/\s+/)
    .find((word) => /^(on|off|nopass|resetpass|reset|sanitize-payload|skip-sanitize-payload)$|^[><#!]/i.test(word))
}

/** The rules of an ACL, one word each; a selector is one. */
export function aclWords(acl: string): string[] {
  return acl.match(/\([^)]*\)|\S+/g) ?? []
}
