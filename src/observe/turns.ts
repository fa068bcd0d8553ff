/**
 * When which database is read: a second is cut into slots and each database has one of them, so that the work is spread
 * evenly; one that hardly anybody uses is read in one second of five, and which of the five is spread evenly too. A thousand
 * that are read within the same second, however seldom, make everybody else on the machine late in that second. Pure.
 */
export const SLOTS = 50
export const IDLE_ROUNDS = 5

export function slotOf(databaseUid: number): number {
  return databaseUid % SLOTS
}

/** `round`: seconds since some moment. */
export function isTurnOfIdle(databaseUid: number, round: number): boolean {
  return (Math.floor(databaseUid / SLOTS) + round) % IDLE_ROUNDS === 0
}
