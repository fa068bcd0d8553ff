/**
 * Who may use a database, and what they may do. Passwords are sealed at rest and reach the engine as hashes only.
 */
import { applied, refused } from '../field.ts'
import { flag, list, oneOf, record, settings, text, uidOf, whole } from '../shapes.ts'

/** The engine hashes it at every AUTH; the same bound as for /passwords. */
const PASSWORD = { maxLength: 512 }
const SASL = 'SASL belongs to databases that speak the memcached protocol, which are not available.'
const AUDIT = 'Connections and commands are not audited here.'

const rolePermission = record({
  role_uid: uidOf('The role.'),
  redis_acl_uid: uidOf('What it may do in this database.'),
})

const oneSide = ['inclusive', 'exclusive'] as const

const usernameFilter = settings(
  {
    enabled: flag(false, 'Filter by user name.'),
    usernames: list(text('', 'A user name.'), 'The user names.', 512),
    filter_type: oneOf([...oneSide], 'inclusive', 'Whether these are audited, or all others.'),
    allow_while_username_unknown: flag(false, 'Audit what happens before the name is known.'),
  },
  'Whose connections are audited.',
)

const sourceFilter = settings(
  {
    enabled: flag(false, 'Filter by address.'),
    ip_addresses: list(text('', 'An address.'), 'The addresses.', 512),
    cidr_ranges: list(text('', 'A range of addresses.'), 'The ranges of addresses.', 512),
    filter_type: oneOf([...oneSide], 'inclusive', 'Whether these are audited, or all others.'),
  },
  'From where connections are audited.',
)

const audit = settings(
  {
    audit_mode: oneOf(['disabled', 'connection', 'connection_and_crud'], 'disabled', 'What is audited.'),
    username_filter: usernameFilter,
    source_ip_filter: sourceFilter,
    max_total_key_bytes: whole(131_072, 'How many bytes of keys a record may hold.'),
  },
  'Auditing of connections and commands.',
)

export const accessFields = {
  authentication_redis_pass: applied(
    text('', 'Oldest password of the default user; empty: none is needed.', PASSWORD),
    {
      'x-secret': true,
      deprecated: true,
    },
  ),
  authentication_admin_pass: applied(
    text('', 'Password of the administrative account; made up when left out.', PASSWORD),
    {
      'x-secret': true,
    },
  ),
  default_user: applied(flag(true, 'Whether the default user may connect.')),
  disabled_commands: applied(
    text('', 'Commands that nobody may use, such as "FLUSHALL, CONFIG|SET".', { maxLength: 16_384 }),
  ),
  disconnect_clients_on_password_removal: applied(
    flag(false, 'Close the connections that were made with a password that is removed.'),
  ),
  roles_permissions: applied(list(rolePermission, 'Which role may do what in this database.')),
  authentication_sasl_uname: refused(text('', 'User name for SASL.', PASSWORD), {
    accepts: [''],
    why: SASL,
    code: 'invalid_sasl_credentials',
  }),
  authentication_sasl_pass: refused(
    text('', 'Password for SASL.', PASSWORD),
    { accepts: [''], why: SASL, code: 'invalid_sasl_credentials' },
    { 'x-secret': true },
  ),
  audit_settings: refused(audit, { accepts: [audit.default], why: AUDIT }),
  db_conns_auditing: refused(
    flag(false, 'Audit connections; see audit_settings.'),
    { accepts: [false], why: AUDIT },
    { deprecated: true },
  ),
}
