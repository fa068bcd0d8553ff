/**
 * The numbers that bound every wait and every attempt of the control plane, with where each comes from. In one place,
 * because they only make sense beside each other.
 */

/**
 * How long an action may take before it fails and is undone. A start takes milliseconds; what can take long is reading
 * data from disk: Redis reads about 100 MB/s of RDB on a slow machine, so ten minutes cover some 60 GB.
 */
export const ACTION_DEADLINE_MS = 600_000

/** One step may be silent for this long before it counts as failed: above the engine's own slowest clean answer. */
export const STEP_TIMEOUT_MS = 120_000

/** A new database whose engine does not come up is given up after this many attempts: a bad binary stays bad. */
export const CREATE_ATTEMPTS = 2

/** A change of which one step fails this often is undone; a process that dies once can fail it, and so can one of ours. */
export const CHANGE_ATTEMPTS = 3

/** A replica that cannot be started from its own files this often is started without them: its primary has everything. */
export const REPLICA_ATTEMPTS = 2

/** Moving slots takes long enough for a shard to die meanwhile, and half of it done is worth finishing. */
export const MOVE_ATTEMPTS = 6

/** A recovery action fails, visibly, after this many attempts; recovering goes on at the slowest pace. */
export const RECOVERY_ATTEMPTS = 5

/**
 * The first failure is tried again at once, the second after this long; then the pause doubles up to the cap. A process
 * that was killed is thus back in milliseconds, and one that cannot live costs next to nothing.
 */
export const FIRST_RETRY_MS = 200
export const SLOWEST_RETRY_MS = 15_000

/** A process that ran this long before it ended was healthy: its next start is a first attempt again. */
export const HEALTHY_AFTER_MS = 1_000

/** Ended actions and idempotency keys are kept this long, and no more actions than that. */
export const RECORD_RETENTION_MS = 24 * 3600 * 1000
export const ENDED_ACTIONS_KEPT = 1_000

/**
 * A shard that has given its hash slots away tells cluster clients who have not heard where those are now, for so long
 * before it goes: each one's next command shows it, and whoever sends none so long has none under way when it is closed.
 */
export const SLOTLESS_MS = 3_000
