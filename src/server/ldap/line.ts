/**
 * So many at a time, and the others in line in the order they came: what directories are asked must not grow with what is
 * guessed. Who comes when the line is full is sent away; who waits too long leaves it.
 */
import { refuse } from '../errors.ts'

type Waiting = { readonly enter: () => void }

export class Line {
  readonly #waiting = new Set<Waiting>()
  readonly #mostWaiting: number
  #free: number

  constructor(options: { readonly atOnce: number; readonly waiting: number }) {
    this.#free = options.atOnce
    this.#mostWaiting = options.waiting
  }

  /** Resolves when it is one's turn, with what ends it. Rejects with a Refusal, or with the reason of `signal`. */
  async enter(signal: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free--
    else await this.#wait(signal)
    return () => this.#leave()
  }

  #wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.size >= this.#mostWaiting) refuse('too_many_logins', { headers: { 'retry-after': '5' } })
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#waiting.delete(waiting)
        reject(signal.reason)
      }
      const waiting = {
        enter: () => {
          signal.removeEventListener('abort', giveUp)
          resolve()
        },
      }
      this.#waiting.add(waiting)
      signal.addEventListener('abort', giveUp)
    })
  }

  #leave(): void {
    const [next] = this.#waiting
    if (!next) {
      this.#free++
      return
    }
    this.#waiting.delete(next)
    next.enter()
  }
}
