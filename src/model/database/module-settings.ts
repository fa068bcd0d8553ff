/**
 * The settings of the four modules as the reference documents them: names, types and ranges, so that the schema can tell
 * them. They say nothing before there are modules; see modules.ts.
 */

import Type from 'typebox'
import type { Field } from '../field.ts'
import { amount, flag, INT64_MAX, maybeText, oneOf, text, UINT64_MAX, whole } from '../shapes.ts'

const UINT32_MAX = 4_294_967_295
const INT64 = { maximum: INT64_MAX }
const UINT32 = { maximum: UINT32_MAX }
const positive = (maximum: number) => ({ minimum: 1, maximum })

/** A number of workers that the module chooses when it is left open. */
const chosen = (description: string, range: { minimum: number; maximum: number }): Field =>
  Type.Integer({ ...range, description })

export const searchSettings = () => ({
  'search-timeout': whole(500, 'Longest query, in milliseconds.', positive(INT64_MAX)),
  'search-ext-load': maybeText('Extension library to load.'),
  'search-max-doctablesize': whole(1_000_000, 'Largest hash table of documents.', positive(UINT64_MAX)),
  'search-friso-ini': maybeText('Dictionary for Chinese.'),
  'search-cursor-max-idle': whole(300_000, 'Longest idle time of a cursor, in milliseconds.', positive(INT64_MAX)),
  'search-partial-indexed-docs': whole(0, 'Whether the command filter is on.', INT64),
  'search-gc-scan-size': whole(100, 'How much one run of the collector looks at.', positive(INT64_MAX)),
  'search-no-gc': flag(false, 'No garbage collection of indexes.'),
  'search-fork-gc-run-interval': whole(30, 'Seconds between two collections.', positive(INT64_MAX)),
  'search-fork-gc-retry-interval': whole(5, 'Seconds before a failed collection is tried again.', positive(INT64_MAX)),
  'search-fork-gc-clean-threshold': whole(100, 'Documents that make a collection worth it.', positive(INT64_MAX)),
  'search-vss-max-resize': whole(0, 'Largest growth of a vector index, in bytes.', UINT32),
  'search-union-iterator-heap': whole(20, 'Iterators from which a union uses a heap.', positive(INT64_MAX)),
  'search-min-phonetic-term-len': whole(3, 'Shortest term that is matched by sound.', positive(INT64_MAX)),
  'search-multi-text-slop': whole(100, 'Distance between values of one field.', positive(UINT32_MAX)),
  'search-raw-docid-encoding': flag(false, 'Document ids without compression.'),
  'search-_print-profile-clock': flag(true, 'Times in profiles.'),
  'search-_free-resource-on-thread': flag(true, 'Free resources of an index on another thread.'),
  'search-_numeric-compress': flag(false, 'Store numbers as floats.'),
  'search-bg-index-sleep-gap': whole(100, 'Steps of indexing between two pauses.', positive(UINT32_MAX)),
  'search-_numeric-ranges-parents': whole(0, 'Levels of a numeric tree that keep ranges.', { maximum: 2 }),
  'search-fork-gc-sleep-before-exit': whole(0, 'Seconds that a collection sleeps at its end.', INT64),
  'search-no-mem-pools': flag(false, 'No memory pools.'),
  'search-_prioritize-intersect-union-children': flag(false, 'Count the children of unions when ordering.'),
  'search-conn-per-shard': whole(0, 'Connections to each shard; 0: by the number of workers.', INT64),
  'search-cursor-reply-threshold': whole(1, 'Replies gathered before a cursor is read on.', positive(INT64_MAX)),
  'search-threads': chosen('Threads of the module.', { minimum: 0, maximum: UINT32_MAX }),
  'search-default-dialect': whole(1, 'Dialect of queries that name none.', positive(4)),
  'search-topology-validation-timeout': whole(30_000, 'Milliseconds to wait for all shards.', INT64),
  'search-workers': whole(0, 'Threads for queries.', { maximum: 8192 }),
  'search-min-operation-workers': whole(4, 'Threads while the server is busy with itself.', { maximum: 8192 }),
  'search-tiered-hnsw-buffer-limit': whole(1024, 'Vectors that may wait to be indexed.', INT64),
  'search-workers-priority-bias-threshold': whole(1, 'Urgent tasks that may go before others.', INT64),
  'search-on-timeout': oneOf(['RETURN', 'FAIL'], 'RETURN', 'What a query does when its time is up.'),
  'search-min-prefix': whole(2, 'Shortest prefix in a query.', positive(INT64_MAX)),
  'search-min-stem-len': whole(4, 'Shortest word that is stemmed.', { minimum: 2, maximum: UINT32_MAX }),
  'search-max-prefix-expansions': whole(200, 'Most words that a prefix stands for.', positive(INT64_MAX)),
  'search-max-search-results': whole(1_000_000, 'Most results of a search.', INT64),
  'search-max-aggregate-results': whole(2_147_483_648, 'Most results of an aggregation.', INT64),
  'search-io-threads': whole(1, 'Threads that talk to other shards.', positive(256)),
  'search-enable-unstable-features': flag(false, 'Features that may still change.'),
  'search-index-cursor-limit': whole(128, 'Most cursors of an index.', INT64),
  'search-bm25std-tanh-factor': whole(4, 'Divisor of the BM25STD.TANH score.', positive(10_000)),
  'search-indexer-yield-every-ops': whole(
    1000,
    'Steps of indexing between two looks at the server.',
    positive(UINT32_MAX),
  ),
  'search-on-oom': oneOf(['return', 'fail', 'ignore'], 'return', 'What a query does without memory.'),
  'search-default-scorer': oneOf(
    ['TFIDF', 'BM25', 'TFIDF.DOCNORM', 'BM25STD', 'BM25STD.TANH', 'BM25STD.NORM', 'DISMAX', 'DOCSCORE', 'HAMMING'],
    'BM25STD',
    'How results are scored when a query does not say.',
  ),
  'search-_bg-index-mem-pct-thr': whole(100, 'Memory in percent at which indexing pauses.', { maximum: 100 }),
  'search-_bg-index-oom-pause-time': whole(5, 'Seconds of that pause.', UINT32),
  'search-bg-index-sleep-duration-us': whole(1, 'Length of a pause of indexing, in microseconds.', {
    maximum: 999_999,
  }),
})

export const timeseriesSettings = () => ({
  'ts-num-threads': chosen('Threads of the module.', { minimum: 1, maximum: 16 }),
  'ts-compaction-policy': maybeText('How new series are compacted.'),
  'ts-retention-policy': whole(0, 'How long samples stay, in milliseconds; 0: for ever.', INT64),
  'ts-duplicate-policy': oneOf(['BLOCK', 'FIRST', 'LAST', 'MIN', 'MAX', 'SUM'], 'BLOCK', 'Two samples at one time.'),
  'ts-encoding': oneOf(['COMPRESSED', 'UNCOMPRESSED'], 'COMPRESSED', 'How chunks are stored.'),
  'ts-chunk-size-bytes': whole(4096, 'Size of a chunk, in bytes.', { minimum: 48, maximum: 1_048_576 }),
  'ts-ignore-max-time-diff': whole(0, 'Samples this close in time are one.', INT64),
  'ts-ignore-max-val-diff': amount(0, 'Samples this close in value are one.'),
})

export const probabilisticSettings = () => ({
  'bf-error-rate': amount(0.01, 'Share of wrong answers of a Bloom filter.', { maximum: 1 }),
  'bf-initial-size': whole(100, 'Items that it starts with.', positive(1_048_576)),
  'bf-expansion-factor': whole(2, 'How it grows.', { maximum: 32_768 }),
  'cf-initial-size': whole(1024, 'Items that a cuckoo filter starts with.', positive(1_048_576)),
  'cf-bucket-size': whole(2, 'Items in one of its buckets.', positive(255)),
  'cf-max-iterations': whole(20, 'How often it moves items before it grows.', positive(65_535)),
  'cf-expansion-factor': whole(1, 'How it grows.', { maximum: 32_768 }),
  'cf-max-expansions': whole(32, 'How often it grows.', positive(65_536)),
})

/** Named so that every member of a list of modules is text. */
export const moduleEntry = () => ({
  module_name: Type.Optional(text('', 'Which module.')),
  module_id: Type.Optional(text('', 'The same by its uid.')),
  module_args: Type.Optional(text('', 'Arguments for it.')),
  semantic_version: Type.Optional(text('', 'Its version.')),
})
