/**
 * The cluster object of the API. Most of it tunes services that are not here; what would protect something if it worked
 * (password rules, client certificates, ciphers, audits) is refused until it does.
 */

import { alertSettings, alertSettingsProblem } from './alerts/setting.ts'
import { certificateSubject, subjectValidation } from './certificate-subject.ts'
import { applied, kept, refused, reported } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { reservedPortsProblem } from './reserved-ports.ts'
import { anything, flag, list, maybeOneOf, objectOf, oneOf, PEM_MAX, settings, text, whole } from './shapes.ts'

/** A name or an address, or nothing. */
const HOST = '^$|^[A-Za-z0-9.:_-]+$'
const PORT = { minimum: 1024, maximum: 65_535 }
const PEM = { maxLength: PEM_MAX }

const NO_SERVICE = 'It tunes a service that is not part of this control plane.'
const NO_BACKUP = 'It says nothing while backups are not available.'
const NO_TUNING = 'The proxy has no such setting.'
const NO_ACTIVE = 'It tunes Active-Active databases, which are not available.'
const NO_EXTERNAL = 'Databases do not ask an outside service who may connect.'
const CIPHER_LIST = { maxLength: 4_096, pattern: '^[A-Za-z0-9:+!@=_-]*$' }
/** In the names of the TLS standard, as Go has them. */
const DISCOVERY_CIPHERS = [
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA',
  'TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA',
  'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA',
] as const

const LOG_SIZE = /^[1-9]\d{0,6}[kMG]$/

const off = (why: string) => ({ accepts: [false], why })

const fields = {
  name: reported(text('', 'Full name of the cluster.')),
  created_time: reported(text('', 'When it was created, UTC.')),
  rack_aware: reported(flag(false, 'Whether replicas are kept in different racks.')),
  wait_command: reported(flag(true, 'Whether the WAIT command works.')),

  // Alerts and mail.
  alert_settings: applied(alertSettings()),
  email_alerts: applied(flag(false, 'Send mail about alerts.')),
  email_from: applied(
    text('', 'Who the mail is from.', { maxLength: 254, pattern: '^$|^[^\\s<>(),;:"@]{1,64}@[^\\s<>(),;:"@]{1,190}$' }),
  ),
  smtp_host: applied(text('', 'The mail server; empty: no mail is sent.', { maxLength: 253, pattern: HOST })),
  smtp_port: applied(whole(25, 'Its port.', { minimum: 1, maximum: 65_535 })),
  smtp_username: applied(text('', 'Who we are to it; empty: nobody.', { pattern: '^[^&<>"]*$' })),
  smtp_password: applied(
    text('', 'Our password there; shown as ********, which leaves it as it is. Another smtp_host needs it anew.', {
      maxLength: 512,
    }),
    {
      'x-secret': true,
    },
  ),
  smtp_tls_mode: applied(oneOf(['none', 'starttls', 'tls'], 'none', 'Whether mail goes over TLS.')),
  smtp_use_tls: applied(flag(false, 'The same under its older name.'), { deprecated: true }),

  // The API and who may use it.
  cnm_https_port: kept(
    whole(9443, 'Port of the API.', PORT),
    'It is set with --api-port when the control plane starts.',
    {
      'x-create-only': true,
    },
  ),
  cnm_http_port: kept(whole(8080, 'Port of the API without TLS.', PORT), 'Only HTTPS is served.'),
  http_support: refused(flag(false, 'Serve the API without TLS too.'), off('Only HTTPS is served.')),
  cnm_http_workers: kept(whole(1, 'Processes of the API.', { minimum: 1 }), NO_SERVICE),
  cnm_http_max_threads_per_worker: kept(whole(10, 'Threads of each.', { minimum: 1 }), NO_SERVICE, {
    deprecated: true,
  }),
  handle_redirects: kept(flag(false, 'Pass requests on to the leading node.'), 'The cluster has one node.'),
  options_method_forbidden: refused(flag(false, 'Refuse OPTIONS.'), off('OPTIONS is always answered.')),
  control_plane_basic_authentication: applied(flag(true, 'Accept a user name and password.')),
  mask_bdb_credentials: applied(flag(false, 'Hide the passwords of databases from everybody.')),
  password_complexity: applied(flag(false, 'Require mixed characters in the passwords of users.')),
  password_expiration_duration: applied(whole(0, 'Days after which a password of a user expires; 0: never.')),
  password_min_length: applied(whole(8, 'Length that complex passwords need.', { minimum: 8, maximum: 256 })),
  password_hashing_algorithm: reported(
    oneOf(
      ['argon2id', 'PBKDF2'],
      'argon2id',
      'How passwords of users are hashed; changed at /v1/cluster/change_password_hashing_algorithm.',
    ),
  ),
  mtls_certificate_authentication: applied(flag(false, 'Require client certificates of everybody who calls the API.')),
  mtls_authorized_subjects: applied(list(certificateSubject(), 'Subjects they must have.', 1_000)),
  mtls_client_cert_subject_validation_type: applied(subjectValidation('How much of a subject has to match.')),
  min_control_TLS_version: applied(oneOf(['1.2', '1.3'], '1.2', 'Oldest TLS of the API.')),
  control_cipher_suites: applied(
    text('', 'Ciphers of the API in TLS 1.2, as OpenSSL writes them; empty: the usual ones.', CIPHER_LIST),
  ),
  control_cipher_suites_tls_1_3: reported(text('', 'The same for TLS 1.3.')),
  encrypt_pkeys: refused(
    flag(false, 'Encrypt private keys at rest.'),
    off('How private keys are kept cannot be chosen.'),
  ),

  // Databases in general.
  reserved_ports: applied(
    list(
      text('', 'A port or range: 11000, 13000-13010.', { maxLength: 11 }),
      'Ports that are never given to databases.',
      1_000,
    ),
  ),
  disconnect_clients_on_password_removal: refused(
    oneOf(['enabled', 'disabled', 'auto'], 'auto', 'Close connections whose password is removed.'),
    { accepts: ['auto'], why: 'It is set on each database.' },
  ),
  default_non_sharded_proxy_policy: reported(text('single', 'proxy_policy of new databases.')),
  default_sharded_proxy_policy: reported(text('all-master-shards', 'The same for sharded ones.')),
  multi_commands_opt: kept(
    oneOf(['disabled', 'batch', 'force_disabled'], 'disabled', 'Send transactions in one piece.'),
    NO_TUNING,
  ),
  replica_sconns_on_demand: kept(
    oneOf(['enabled', 'disabled', 'auto'], 'auto', 'Connect to replicas only when needed.'),
    NO_TUNING,
  ),
  proxy_max_ccs_disconnection_time: kept(whole(0, 'How long a proxy may miss the state.'), NO_SERVICE),
  availability_lag_tolerance_ms: applied(whole(100, 'Lag at which a replica still counts.')),
  client_maint_notifications: refused(flag(false, 'Tell clients before shards move.'), off('Clients are not told.')),
  state_machine_smart_client_handoffs_delay_ms: kept(
    whole(2000, 'How long clients have then.', { maximum: 10_000 }),
    'Clients are not told.',
  ),
  bigstore_driver: kept(
    oneOf(['speedb', 'rocksdb'], 'speedb', 'Engine for data on flash.'),
    'There is no data on flash.',
  ),
  allow_modules_upload: refused(flag(false, 'Allow own modules.'), off('Modules are not available yet.')),
  slave_ha: reported(flag(false, 'Whether lost replicas are replaced elsewhere.')),
  slave_ha_grace_period: reported(whole(900, 'How long a node may be away before that, in seconds.')),
  slave_ha_cooldown_period: reported(whole(3600, 'Seconds between two of those.')),
  slave_ha_bdb_cooldown_period: reported(whole(86_400, 'Seconds between two of those on one database.')),
  dmc_external_authentication: refused(flag(false, 'Ask a service about passwords.'), off(NO_EXTERNAL)),
  dmc_external_cba_authentication: refused(flag(false, 'Ask a service about certificates.'), off(NO_EXTERNAL)),
  dmc_external_entraid_authentication: refused(flag(false, 'Ask Entra ID.'), off(NO_EXTERNAL)),
  dmc_external_ldap_authentication: refused(flag(false, 'Ask LDAP.'), off(NO_EXTERNAL)),
  min_data_TLS_version: applied(oneOf(['1.2', '1.3'], '1.2', 'Oldest TLS of databases.')),
  data_cipher_list: applied(
    text('', 'Ciphers of databases, as OpenSSL writes them; empty: the usual ones.', CIPHER_LIST),
  ),
  data_cipher_suites_tls_1_3: applied(
    list(text('', 'A cipher.', { maxLength: 64, pattern: '^TLS_[A-Z0-9_]+$' }), 'The same for TLS 1.3.', 100),
  ),
  proxy_certificate: reported(text('', 'Certificate of databases that have none of their own.', PEM)),
  syncer_certificate: reported(text('', 'Certificate for copying.', PEM)),

  // Services beside the API.
  cm_port: kept(whole(8443, 'Port of the console.', PORT), 'There is no console yet.'),
  cm_session_timeout_minutes: kept(
    whole(15, 'Minutes after which it signs people out.', { minimum: 1 }),
    'There is no console yet.',
  ),
  sentinel_tls_mode: applied(oneOf(['allowed', 'disabled', 'required'], 'allowed', 'Whether discovery speaks TLS.')),
  min_sentinel_TLS_version: applied(oneOf(['1.2', '1.3'], '1.2', 'Oldest TLS of discovery.')),
  sentinel_cipher_suites: applied(
    list(
      maybeOneOf([...DISCOVERY_CIPHERS], 'A cipher.'),
      'Ciphers of discovery in TLS 1.2; none: the usual ones.',
      100,
    ),
  ),
  sentinel_cipher_suites_tls_1_3: reported(text('', 'The same for TLS 1.3.')),
  metrics_auth: applied(flag(false, 'Require the password of a user who may see all metrics, to read them.')),
  envoy_admin_port: kept(whole(8002, 'Port of a gateway.', PORT), NO_SERVICE),
  envoy_mgmt_server_port: kept(whole(8004, 'Port of a gateway.', PORT), NO_SERVICE),
  gossip_envoy_admin_port: kept(whole(8006, 'Port of a gateway.', PORT), NO_SERVICE, { deprecated: true }),
  envoy_max_downstream_connections: kept(
    whole(1024, 'Connections of a gateway.', { minimum: 100, maximum: 2048 }),
    NO_SERVICE,
  ),
  use_external_ipv6: kept(flag(true, 'Listen on IPv6.'), 'The address to listen on is set with --listen.'),
  use_ipv6: kept(flag(true, 'The same under its older name.'), 'The address to listen on is set with --listen.', {
    deprecated: true,
  }),
  logrotate_settings: applied(
    settings(
      {
        maxage: whole(7, 'Days after which a log that was set aside goes.', { minimum: 1, maximum: 3_650 }),
        maxsize: text('200M', 'Size at which a new one begins: 500k, 200M, 1G.', { pattern: LOG_SIZE.source }),
        rotate: whole(10, 'How many stay, besides the newest.', { minimum: 1, maximum: 1_000 }),
      },
      'How the log of the control plane is rotated.',
    ),
  ),
  debuginfo_path: kept(text('', 'Folder for support packages.'), 'Support packages are sent, and not kept.'),
  slowlog_in_sanitized_support: kept(
    flag(false, 'Slow logs in those.'),
    'Support packages hold no slow logs: arguments of commands are data.',
  ),
  cluster_ssh_public_key: reported(text('', 'Key with which nodes reach each other.')),
  upgrade_mode: refused(
    flag(false, 'The cluster is being upgraded.'),
    off('An upgrade is a restart; it needs no mode.'),
  ),
  s3_ca_cert: kept(text('', 'File with the authority of the S3 server.'), NO_BACKUP),
  s3_url: kept(text('', 'The S3 server.'), NO_BACKUP),

  // Active-Active.
  crdb_coordinator_port: kept(whole(9081, 'Port of the coordinator.', PORT), NO_ACTIVE),
  crdt_rest_client_retries: kept(whole(0, 'How often peers are asked again.'), NO_ACTIVE),
  crdt_rest_client_timeout: kept(whole(0, 'How long they may take.'), NO_ACTIVE),
  robust_crdt_syncer: kept(flag(false, 'Use the robust way of copying.'), NO_ACTIVE),
  crdt_supported_featureset_version: reported(whole(0, 'What this cluster can do.')),
  crdt_supported_featureset_version_map: reported(anything('The same by version of the engine.')),
  crdt_supported_module_featureset_version_map: reported(anything('The same by module.')),
  crdt_supported_protocol_versions: reported(list(text('', 'A version.'), 'How it can talk.')),
  crdt_supported_protocol_versions_map: reported(anything('The same by version of the engine.')),
}

export const ClusterObject = objectOf('cluster', fields)

/** What a real cluster shows beside what the reference lists; none of it would protect anything. */
export const ignoredClusterFields: readonly string[] = [
  'cluster_api_internal_port',
  'cm_server_version',
  'crdb_coordinator_ignore_requests',
  'entra_id_cache_ttl',
  'handle_metrics_redirects',
  'metrics_system',
  'module_upload_max_size_mb',
  'system_reserved_ports',
  'upgrade_in_progress',
]

const parser = compileObject(ClusterObject, {
  ignored: ignoredClusterFields,
  rules: [reservedPortsProblem, alertSettingsProblem],
})

export function clusterParser(): ObjectParser {
  return parser
}
