/**
 * What a suite leaves to clean up, done after its last test, the newest first. One that fails does not keep the others
 * from being done: what they would have ended would run on beside every test after it.
 */
import type { CleanUps } from './instance.ts'
import { within } from './wait.ts'

/** Longer than anything takes to be taken down on a busy machine, and less than a hook may. */
const EACH_MS = 60_000
/** For hooks of suites: they start and end processes, and must not wait for ever either. */
export const HOOK = { timeout: 120_000 }

/** One after the other, whatever becomes of those before; rejects at the end with everything that went wrong. */
export async function doAll(steps: readonly (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = []
  for (const step of steps) {
    try {
      await within('a clean-up to end', step(), EACH_MS)
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, `cleaning up failed: ${errors.join('; ')}`)
}

export class CleanUpList implements CleanUps {
  readonly #all: (() => Promise<void>)[] = []

  after(cleanUp: () => Promise<void>): void {
    this.#all.push(cleanUp)
  }

  async run(): Promise<void> {
    await doAll(this.#all.splice(0).reverse())
  }
}
