/**
 * The node object of the API: a machine of the cluster, what it is, and what may be placed on it.
 */
import Type from 'typebox'
import { applied, kept, refused, reported } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { amount, anything, BYTES_MAX, flag, list, objectOf, oneOf, record, text, uidOf, whole } from './shapes.ts'

export const NODE_STATUSES = ['active', 'decommissioning', 'down', 'provisioning'] as const

const ONE_NODE = 'The cluster has one node: there is no other place for a shard.'
const OWN_LIMITS = 'The limits of the machine count.'
const LISTEN = 'Endpoints show the address that is set with --listen.'

/** Also told before there is a cluster. */
export const supportedVersion = () =>
  record({
    db_type: text('redis', 'Which protocol.'),
    version: text('', 'Full version of the engine.'),
    redis_version: Type.Optional(text('', 'Version as databases name it.')),
    major: Type.Optional(flag(true, 'Whether it is the newest of its major version.')),
  })

const mapping = record({ key: text('', 'Network or host name of clients.'), value: anything('What they are told.') })

const bytes = (description: string) => amount(0, description, { maximum: BYTES_MAX })

const fields = {
  uid: reported(uidOf('The number of the node.')),
  status: reported(oneOf([...NODE_STATUSES], 'active', 'How it is.')),
  addr: applied(text('', 'Where it is reached.')),
  external_addr: kept(list(text('', 'An address.'), 'Where it is reached from elsewhere.', 100), LISTEN),
  public_addr: kept(text('', 'The same under its older name.'), LISTEN, { deprecated: true }),
  accept_servers: refused(flag(true, 'Whether new shards may come.'), { accepts: [true], why: ONE_NODE }),
  rack_id: kept(text('', 'The rack it is in.'), ONE_NODE),
  second_rack_id: kept(text('', 'The rack within that.'), ONE_NODE),
  max_listeners: kept(whole(100, 'Most endpoints.'), OWN_LIMITS),
  max_redis_servers: kept(whole(100, 'Most shards.'), OWN_LIMITS),
  max_redis_forks: kept(
    whole(-1, 'Forks at a time; 0: no limit; -1: as the policy says.', { minimum: -1 }),
    'Engines decide themselves when they fork.',
  ),
  max_slave_full_syncs: applied(
    whole(-1, 'Its replicas that copy all data at a time; 0: no limit; -1: as the policy says.', { minimum: -1 }),
  ),
  recovery_path: kept(text('', 'Where files to recover from are.'), 'Databases recover from their own folders.'),
  oss_cluster_ip_mapping: refused(list(mapping, 'Addresses by network of the client.', 1_000), {
    accepts: [[]],
    why: 'Databases listen on one address, which is what the cluster protocol tells.',
  }),
  bigstore_driver: kept(
    oneOf(['ibm-capi-ga1', 'ibm-capi-ga2', 'ibm-capi-ga4', 'speedb', 'rocksdb'], 'speedb', 'Engine for data on flash.'),
    'There is no data on flash.',
    { deprecated: true },
  ),
  bigstore_enabled: reported(flag(false, 'Whether data may be on flash.')),
  bigstore_size: reported(bytes('Bytes of flash.')),
  bigredis_storage_path: reported(text('', 'Folder of the flash.')),
  architecture: reported(text('', 'Architecture of its processors.')),
  cores: reported(whole(0, 'Number of its processors.')),
  total_memory: reported(whole(0, 'Its memory in bytes.', { maximum: BYTES_MAX })),
  ephemeral_storage_path: reported(text('', 'Folder for what may go.')),
  ephemeral_storage_size: reported(bytes('Bytes of that disk.')),
  persistent_storage_path: reported(text('', 'Folder for what must stay.')),
  persistent_storage_size: reported(bytes('Bytes of that disk.')),
  os_family: reported(oneOf(['rhel', 'ubuntu', 'amzn'], 'ubuntu', 'Kind of its operating system.')),
  os_name: reported(text('', 'Its operating system.')),
  os_semantic_version: reported(text('', 'Version of that.')),
  os_version: reported(text('', 'Both, for people.')),
  software_version: reported(text('', 'Version of the control plane.')),
  supported_database_versions: reported(list(supportedVersion(), 'The engines that it can run.')),
  system_time: reported(text('', 'Its clock, UTC.')),
  uptime: reported(whole(0, 'Seconds since it started.')),
  use_internal_ipv6: reported(flag(false, 'Whether nodes talk over IPv6.')),
  shard_count: reported(whole(0, 'Number of shards on it.')),
  shard_list: reported(list(uidOf('A shard.'), 'The uids of its shards.')),
  // A real cluster shows these three beside what the reference lists.
  ram_shard_count: reported(whole(0, 'Shards in memory.')),
  flash_shard_count: reported(whole(0, 'Shards on flash.')),
  fips_enabled: reported(flag(false, 'Whether its cryptography is restricted to FIPS.')),
}

export const NodeObject = objectOf('node', fields)

/** Nodes have these from their bootstrap, where they may be given. */
const parser = compileObject(NodeObject, { ignored: ['name', 'override_rack_id'] })

export function nodeParser(): ObjectParser {
  return parser
}
