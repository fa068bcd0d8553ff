/**
 * When which database is read: a second is cut into slots and each database has one of them, so that the work is spread
 * evenly; one that hardly anybody uses is read in one second of five, and which of the five is spread evenly too. A thousand
 * that are read within the same second, however seldom, make everybody else on the machine late in that second. Pure.
 */
export const SLOTS = 50
export const IDLE_ROUNDS = 5
/** Rounds take longer than a second when there is much else to do: nobody waits for the turn longer than this. */
export const LONGEST_IDLE_MS = 6_000

export function slotOf(databaseUid: number): number {
  return databaseUid % SLOTS
}

/** `round`: how often all slots have had their turn; `sinceMs`: since it was read last. */
export function isTurnOfIdle(databaseUid: number, round: number, sinceMs: number): boolean {
  return (Math.floor(databaseUid / SLOTS) + round) % IDLE_ROUNDS === 0 || sinceMs >= LONGEST_IDLE_MS
}
