/**
 * Replicas within the cluster, and where shards are placed.
 */
import { applied, kept, refused } from '../field.ts'
import { flag, list, oneOf, text, whole } from '../shapes.ts'

export const replicationFields = {
  replication: applied(flag(false, 'Keep a replica of every shard, which takes over when the primary is gone.')),
  slave_ha: refused(flag(false, 'Make a new replica elsewhere when a node is lost.'), {
    accepts: [false],
    why: 'The cluster has one node: there is no elsewhere. A replica whose process is gone is replaced always.',
    code: 'invalid_replication',
  }),
  slave_ha_priority: kept(whole(0, 'Which database gets its new replicas first.'), 'It orders what slave_ha does.'),
}

export const placementFields = {
  rack_aware: refused(flag(false, 'Keep replicas in other racks.'), {
    accepts: [false],
    why: 'The cluster is not rack-aware.',
    code: 'rack_awareness_violation',
  }),
  shards_placement: kept(
    oneOf(['dense', 'sparse'], 'dense', 'Shards on few nodes, or on many.'),
    'With one node, few and many are the same.',
  ),
  avoid_nodes: refused(list(text('', 'The uid of a node.'), 'Nodes that may not hold its shards.', 1_000), {
    accepts: [[]],
    why: 'The cluster has one node.',
  }),
  use_nodes: refused(list(text('', 'The uid of a node.'), 'The only nodes that may hold its shards.', 1_000), {
    accepts: [[], ['1']],
    why: 'The cluster has one node, with the uid 1.',
  }),
}
