/**
 * How much memory a database may use, what goes when it is full, and how fragmentation is repaired. The limits of active
 * defragmentation are the engine's own directives; where the reference has no default, the engine's counts.
 */
import { applied } from '../field.ts'
import { BYTES_MAX, oneOf, text, whole } from '../shapes.ts'

/** `*-lrm` needs an engine that has them; see rules.ts. */
export const EVICTION_POLICIES = [
  'volatile-lru',
  'volatile-ttl',
  'volatile-random',
  'allkeys-lru',
  'allkeys-random',
  'noeviction',
  'volatile-lfu',
  'allkeys-lfu',
  'allkeys-lrm',
  'volatile-lrm',
] as const

const PERCENT = { minimum: 1, maximum: 99 }
const WASTE = { maximum: 1000 }

export const memoryFields = {
  memory_size: applied(
    whole(0, 'Limit of its memory in bytes, shards and replicas together; 0: none.', { maximum: BYTES_MAX }),
  ),
  eviction_policy: applied(oneOf([...EVICTION_POLICIES], 'volatile-lru', 'Which keys go when the memory is full.')),
  activedefrag: applied(oneOf(['yes', 'no'], 'no', 'Repair fragmented memory while running.')),
  active_defrag_cycle_max: applied(whole(25, 'Most of the processor to spend on it, in percent.', PERCENT)),
  active_defrag_cycle_min: applied(whole(1, 'Least of the processor to spend on it, in percent.', PERCENT)),
  active_defrag_ignore_bytes: applied(
    text('100mb', 'Waste below which nothing is done, such as 100mb.', { maxLength: 32 }),
  ),
  active_defrag_max_scan_fields: applied(
    whole(1000, 'Largest collection that is handled within the main scan.', { minimum: 1 }),
  ),
  active_defrag_threshold_lower: applied(whole(10, 'Waste in percent at which it starts.', WASTE)),
  active_defrag_threshold_upper: applied(whole(100, 'Waste in percent at which it does its most.', WASTE)),
}
