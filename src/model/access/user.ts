/**
 * The user object of the API. `email` is the name in the API, `name` the one in databases.
 */
import { applied, kept, refused, reported } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import { MANAGEMENT_ROLES, type ManagementRole } from '../permissions.ts'
import { flag, INT32_MAX, list, maybeText, objectOf, oneOf, text, uidOf, whole } from '../shapes.ts'
import { NAME_MAX, USER_NAME } from './names.ts'

const PREHASHED =
  'A hash of name, cluster and password cannot be what an engine compares with. Send the password: it is kept as hashes only.'

const fields = {
  uid: reported(uidOf('The number of the user.')),
  name: applied(text('', 'The name in databases, unlike any other.', { maxLength: NAME_MAX, pattern: USER_NAME })),
  email: applied(text('', 'The name in the API, unlike any other.', { maxLength: NAME_MAX, pattern: '^[!-~]*$' })),
  password: applied(text('', 'Replaces every password there was.', { maxLength: 512 }), {
    'x-secret': true,
    'x-shown': 'never',
    writeOnly: true,
  }),
  password_hash_method: refused(maybeText('How the password was hashed before it was sent.'), {
    accepts: [''],
    why: PREHASHED,
  }),
  role: applied(oneOf([...MANAGEMENT_ROLES], 'db_viewer', 'The built-in role of that name; role_uids says more.')),
  role_uids: applied(list(uidOf('A role.'), 'The roles of the user.', 100)),
  auth_method: refused(oneOf(['regular', 'certificate', 'entraid', 'sso'], 'regular', 'How the user signs in.'), {
    accepts: ['regular', 'certificate', 'sso'],
    why: 'Users sign in with a password, a certificate, or by SSO.',
  }),
  certificate_subject_line: applied(
    text('', 'Who the certificate of the user is for, as RFC 2253 writes it.', { maxLength: 4_096 }),
  ),
  email_alerts: applied(flag(true, 'Whether mail is sent to the user.')),
  bdbs_email_alerts: applied(
    list(text('', 'A database, or all.'), 'About which databases; empty: all of them.', 10_000),
  ),
  cluster_email_alerts: applied(flag(false, 'Whether also about the cluster.')),
  account_id: kept(whole(0, 'A number of an account.', { maximum: INT32_MAX }), 'There are no accounts here.'),
  action_uid: reported(text('', 'Users change at once: never set.')),
  last_login: reported(whole(0, 'When the user last signed in, in seconds since the epoch; 0: never.')),
  password_issue_date: reported(text('', 'When the newest password was set.')),
  status: reported(oneOf(['active', 'locked', 'password_expired'], 'active', 'Whether the user can sign in.')),
}

export const UserObject = objectOf('user', fields)

export type GivenUser = {
  readonly name?: string
  readonly email?: string
  readonly password?: string
  readonly role?: ManagementRole
  readonly role_uids?: readonly number[]
  readonly auth_method?: 'regular' | 'certificate' | 'sso'
  readonly certificate_subject_line?: string
} & Readonly<Record<string, unknown>>

export const userParser: ObjectParser<GivenUser> = compileObject<GivenUser>(UserObject)

/** What mail somebody gets. */
export const KEPT_USER_FIELDS = ['email_alerts', 'bdbs_email_alerts', 'cluster_email_alerts'] as const
