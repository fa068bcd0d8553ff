/**
 * A program of a test's own that believes in another date: its wall clock is ahead by as many days as a file says, which is
 * read when it starts. Timers and the monotonic clock stay as they are.
 *
 * Loaded by Node itself before the program: `env` goes into the environment of whoever is to believe it.
 */
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'

const DAY_MS = 86_400_000
const CLOCK_FILE = 'MOVED_CLOCK_FILE'

export class MovedClock {
  readonly #file: string

  constructor(file: string) {
    this.#file = file
  }

  get env(): Readonly<Record<string, string>> {
    return { [CLOCK_FILE]: this.#file, NODE_OPTIONS: `--import=${fileURLToPath(import.meta.url)}` }
  }

  /** Counts from the next start. */
  async move(days: number): Promise<void> {
    await writeFile(this.#file, String(days))
  }
}

const file = process.env[CLOCK_FILE]
if (file !== undefined) {
  const aheadMs = Number(readFileSync(file, 'utf8')) * DAY_MS
  const RealDate = Date
  const now = () => RealDate.now() + aheadMs
  globalThis.Date = new Proxy(RealDate, {
    construct: (date, args, target) => Reflect.construct(date, args.length === 0 ? [now()] : args, target),
    get: (date, name, receiver) => (name === 'now' ? now : Reflect.get(date, name, receiver)),
  })
}
