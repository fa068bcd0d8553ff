/**
 * Making a cluster of a node: what is asked for, and how far it is. Some of what scripts send belongs to the machine
 * (paths, ports) and is decided where the control plane is started; it is accepted so that those scripts work.
 */

import Type from 'typebox'
import { applied, kept, refused, reported } from './field.ts'
import { supportedVersion } from './node.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { PROXY_POLICIES } from './proxy-policies.ts'
import {
  amount,
  anything,
  BYTES_MAX,
  choice,
  flag,
  list,
  maybeOneOf,
  maybeText,
  objectOf,
  oneOf,
  PEM_MAX,
  record,
  settings,
  text,
  uidOf,
  whole,
} from './shapes.ts'

const PORT = { minimum: 1024, maximum: 65_535 }
const PEM = { maxLength: PEM_MAX }

const FROM_FLAGS = 'It is decided where the control plane is started, by its flags.'
const ONE_NODE = 'The cluster has one node.'
const NO_JOIN = 'It is for joining a cluster; clusters of several nodes are not available yet.'
const NO_SERVICE = 'It tunes a service that is not part of this control plane.'
const NO_MTLS = 'Client certificates are not accepted by the API yet.'

const off = (why: string) => ({ accepts: [false], why })

const credentials = choice(
  {
    username: applied(text('', 'Name of the first administrator.', { maxLength: 256 })),
    password: applied(text('', 'Their password.', { maxLength: 512 }), { 'x-secret': true }),
    client_cert: refused(text('', 'A certificate instead.', PEM), { accepts: [''], why: NO_MTLS }),
    client_key: refused(text('', 'Its key.', PEM), { accepts: [''], why: NO_MTLS }, { 'x-secret': true }),
    trusted_ca: refused(text('', 'Who vouches for it.', PEM), { accepts: [''], why: NO_MTLS }),
  },
  'The first administrator.',
)

const cluster = choice(
  {
    name: applied(text('', 'Full name of the cluster: cluster.local.', { maxLength: 64 })),
    nodes: kept(list(text('', 'An address.'), 'Nodes to join.', 1_000), NO_JOIN),
    wait_command: kept(flag(true, 'Whether the WAIT command works.'), 'The engine has it always.'),
  },
  'The cluster to make.',
)

const identity = choice(
  {
    uid: kept(uidOf('The number of the node that this one replaces.'), NO_JOIN),
    name: kept(text('', 'Name of the node.'), 'The machine has a name.'),
    addr: kept(text('', 'Where nodes reach it.'), FROM_FLAGS),
    external_addr: kept(list(text('', 'An address.'), 'Where it is reached from elsewhere.', 100), FROM_FLAGS),
    accept_servers: refused(flag(true, 'Whether shards may come.'), {
      accepts: [true],
      why: 'The only node has to take the shards.',
    }),
    override_rack_id: kept(flag(false, 'Take a rack other than that of the node it replaces.'), NO_JOIN),
    rack_id: kept(text('', 'The rack it is in.'), ONE_NODE),
    second_rack_id: kept(text('', 'The rack within that.'), ONE_NODE),
    use_internal_ipv6: kept(flag(false, 'Whether nodes talk over IPv6.'), ONE_NODE),
  },
  'What the node is.',
)

const node = choice(
  {
    identity,
    limits: kept(
      choice(
        { max_listeners: whole(100, 'Most endpoints.'), max_redis_servers: whole(100, 'Most shards.') },
        'Its limits.',
      ),
      'The limits of the machine count.',
    ),
    paths: kept(
      choice(
        {
          persistent_path: text('', 'Folder for what must stay.'),
          ephemeral_path: text('', 'Folder for what may go.'),
          ccs_persistent_path: text('', 'Folder for the state.'),
          bigstore_path: text('', 'Folder of the flash.'),
        },
        'Its folders.',
      ),
      'Everything is below the folder that is set with --data-dir.',
    ),
    bigstore_enabled: refused(flag(false, 'Allow data on flash.'), off('Data on flash is not available.')),
    bigstore_driver: kept(oneOf(['rocksdb'], 'rocksdb', 'Engine for it.'), 'There is no data on flash.', {
      deprecated: true,
    }),
  },
  'The node.',
)

const policy = choice(
  {
    default_fork_evict_ram: kept(
      flag(false, 'Evict keys so that a fork fits.'),
      'No open engine evicts for the sake of a fork.',
    ),
    default_non_sharded_proxy_policy: applied(oneOf([...PROXY_POLICIES], 'single', 'proxy_policy of new databases.')),
    default_sharded_proxy_policy: applied(oneOf([...PROXY_POLICIES], 'all-master-shards', 'When sharded.')),
    default_shards_placement: kept(
      oneOf(['dense', 'sparse'], 'sparse', 'shards_placement of new databases.'),
      'With one node, few and many are the same.',
    ),
    rack_aware: refused(flag(false, 'Keep replicas in different racks.'), {
      ...off(ONE_NODE),
      code: 'rack_awareness_violation',
    }),
    shards_overbooking: applied(flag(true, 'Promise databases more memory than there is.')),
  },
  'The policy of the cluster.',
)

const suffix = record({
  name: text('', 'The suffix.'),
  cluster_default: Type.Optional(flag(false, 'Whether it is the usual one.')),
  use_aaaa_ns: Type.Optional(flag(false, 'Publish IPv6 addresses of name servers.')),
  use_internal_addr: Type.Optional(flag(false, 'Publish internal addresses.')),
  slaves: Type.Optional(list(text('', 'A name server.'), 'More name servers.', 100)),
})

const userDefinedModule = record({
  name: text('', 'The module.'),
  location: record({
    location_type: oneOf(['http', 'https'], 'https', 'How it is fetched.'),
    url: text('', 'From where.'),
    credentials: Type.Optional(
      record({ username: text('', 'Who we are there.'), password: text('', 'Our password there.') }),
    ),
  }),
})

export const BootstrapRequest = objectOf('bootstrap', {
  action: applied(
    maybeOneOf(['create_cluster', 'join_cluster', 'recover_cluster'], 'What to do; the path says it too.'),
  ),
  cluster: applied(cluster),
  credentials: applied(credentials, { 'x-secret': true }),
  node: applied(node),
  policy: applied(policy, { deprecated: true }),
  license: refused(text('', 'Text of a licence.', PEM), {
    accepts: [''],
    why: 'There is nothing to license: leave it out.',
    code: 'invalid_license',
  }),
  dns_suffixes: refused(list(suffix, 'Names to publish.', 100), { accepts: [[]], why: 'Names are not published yet.' }),
  user_defined_modules: refused(
    list(userDefinedModule, 'Modules to fetch.', 100),
    { accepts: [[]], why: 'Modules are not available yet.' },
    { 'x-secret': true },
  ),
  recovery_filename: refused(text('', 'Backup of the state to recover from.'), {
    accepts: [''],
    why: 'Clusters cannot be recovered from a file yet.',
  }),
  witness_disk: refused(anything('A disk that decides between nodes.'), { accepts: [{}], why: ONE_NODE }),
  cnm_https_port: kept(whole(9443, 'Port of the cluster to join.', PORT), NO_JOIN),
  required_version: kept(text('', 'Version that the cluster must have.'), NO_JOIN, { deprecated: true }),
  max_retries: kept(whole(0, 'How often to try again.'), 'It is done at once, or not at all.'),
  retry_time: kept(whole(0, 'Seconds between two tries.'), 'It is done at once, or not at all.'),
  crdb_coordinator_port: kept(whole(9081, 'Port of a service.', PORT), NO_SERVICE),
  envoy_admin_port: kept(whole(8002, 'Port of a gateway.', PORT), NO_SERVICE),
  envoy_mgmt_server_port: kept(whole(8004, 'Port of a gateway.', PORT), NO_SERVICE),
  gossip_envoy_admin_port: kept(whole(8006, 'Port of a gateway.', PORT), NO_SERVICE, { deprecated: true }),
})

const parser = compileObject(BootstrapRequest)

export function bootstrapParser(): ObjectParser {
  return parser
}

export const BOOTSTRAP_STATES = [
  'idle',
  'initiated',
  'creating_cluster',
  'recovering_cluster',
  'joining_cluster',
  'error',
  'completed',
] as const

const address = record({
  address: text('', 'The address.'),
  format: text('', 'ipv4 or ipv6.'),
  if_name: text('', 'Interface that has it.'),
  private: flag(false, 'Whether it is private.'),
})

const bytes = (description: string) => amount(0, description, { maximum: BYTES_MAX })

const localNode = settings(
  {
    uid: text('', 'The number of the node, as text; empty before there is a cluster.'),
    software_version: text('', 'Version of the control plane.'),
    architecture: text('', 'Architecture of its processors.'),
    cores: whole(0, 'Number of its processors.'),
    total_memory: whole(0, 'Its memory in bytes.', { maximum: BYTES_MAX }),
    os_family: oneOf(['rhel', 'ubuntu', 'amzn'], 'ubuntu', 'Kind of its operating system.'),
    os_name: text('', 'Its operating system.'),
    os_semantic_version: text('', 'Version of that.'),
    os_version: text('', 'Both, for people.'),
    uptime: whole(0, 'Seconds since it started.'),
    short_hostname: text('', 'Its name.'),
    available_addrs: list(address, 'Its addresses.'),
    available_addresses: list(address, 'The same under its newer name.'),
    bridge_interfaces: list(text('', 'An interface.'), 'Interfaces of bridges.'),
    persistent_storage_path: text('', 'Folder for what must stay.'),
    persistent_storage_size: bytes('Bytes of that disk.'),
    ephemeral_storage_path: text('', 'Folder for what may go.'),
    ephemeral_storage_size: bytes('Bytes of that disk.'),
    bigredis_storage_path: text('', 'Folder of the flash.'),
    supported_bigstore_drivers: list(text('', 'An engine.'), 'Engines for data on flash.'),
    supported_database_versions: list(supportedVersion(), 'The engines that it can run.'),
    fips_enabled: flag(false, 'Whether its cryptography is restricted to FIPS.'),
  },
  'What this node is.',
)

export const BootstrapStatus = objectOf('bootstrap status', {
  bootstrap_status: reported(
    settings(
      {
        state: oneOf([...BOOTSTRAP_STATES], 'idle', 'How far it is.'),
        start_time: text('', 'When it began, UTC.'),
        end_time: text('', 'When it ended, UTC.'),
        error_code: maybeText('Why it failed, as a code.'),
        error_details: anything('The same in more words.'),
      },
      'How far making the cluster is.',
    ),
  ),
  local_node_info: reported(localNode),
})
