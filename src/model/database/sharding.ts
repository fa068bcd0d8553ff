/**
 * Spreading a database over several shards, and the cluster protocol.
 */
import { applied, kept, refused, reported } from '../field.ts'
import { amount, BYTES_MAX, flag, list, oneOf, record, text, uidOf, whole } from '../shapes.ts'

const code = 'invalid_sharding' as const
const RESERVED = 'The reference reserves it for the future.'

/** Hash what stands in braces, else the whole key: what the engine does anyway. */
export const DEFAULT_KEY_RULES = [{ regex: '.*\\{(?<tag>.*)\\}.*' }, { regex: '(?<tag>.*)' }]

export const shardingFields = {
  sharding: applied(flag(false, 'Spread the keys over several shards, behind one endpoint.')),
  shards_count: applied(whole(1, 'Number of primaries; more or fewer at any time.', { minimum: 1, maximum: 512 })),
  shard_list: reported(list(uidOf('A shard.'), 'The uids of its shards.')),
  shard_key_regex: refused(
    list(record({ regex: text('', 'A rule.') }), 'Which part of a key decides its shard.', 100),
    {
      accepts: [[], DEFAULT_KEY_RULES],
      why: 'The engine hashes what stands in braces, else the whole key; other rules are not available.',
      code,
    },
  ),
  implicit_shard_key: kept(
    flag(false, 'Hash the whole key when no rule matches.'),
    'The default rules match every key.',
  ),
  shard_block_crossslot_keys: refused(flag(false, 'Keep scripts to keys of one hash slot.'), {
    accepts: [false],
    why: 'Engines hold scripts to the keys that they name, and those to one slot, in sharded databases only, and always.',
    code,
  }),
  shard_block_foreign_keys: kept(
    flag(true, 'Keep scripts to keys of their own shard.'),
    'An engine has no keys but those of its own slots.',
  ),
  hash_slots_policy: refused(oneOf(['legacy', '16k'], '16k', 'How many hash slots there are.'), {
    accepts: ['16k'],
    why: 'Open engines have 16384 hash slots.',
    code,
  }),
  oss_cluster: applied(flag(false, 'Speak the cluster protocol: clients reach the shards themselves, if they like.')),
  oss_cluster_api_preferred_endpoint_type: refused(
    oneOf(['ip', 'hostname'], 'ip', 'What the cluster protocol names shards by.'),
    {
      accepts: ['ip'],
      why: 'Nobody here answers for the names of shards; the cluster protocol tells addresses.',
      code: 'invalid_oss_cluster_configuration',
    },
  ),
  oss_cluster_api_preferred_ip_type: kept(
    oneOf(['internal', 'external'], 'internal', 'Which addresses the cluster protocol tells.'),
    'Databases listen on one address, which is what it tells: the one that is set with --listen.',
  ),
  oss_sharding: kept(flag(false, 'Reserved.'), RESERVED),
  use_selective_flush: kept(
    flag(true, 'Flush only the shards that have to be.'),
    'A flush concerns every shard, and each that is flushed already is left alone.',
  ),
  auto_shards_balancing: refused(flag(false, 'Move slots between shards by itself.'), {
    accepts: [false],
    why: 'Slots are moved when somebody asks for it.',
    code,
  }),
  auto_shards_balancing_grace_period: kept(whole(120, 'How long to wait before that, in seconds.'), RESERVED),
  shard_imbalance_threshold: kept(
    amount(314_572_800, 'Imbalance in bytes that is left alone.', { maximum: BYTES_MAX }),
    RESERVED,
  ),
  shard_imbalance_threshold_percentage: kept(
    whole(20, 'Imbalance in percent that is left alone.', { maximum: 100 }),
    RESERVED,
  ),
}
