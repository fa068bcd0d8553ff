/**
 * A look that is taken again and again, after pauses that may differ, until nobody is interested any more. Callers: those
 * who watch a shard for as long as its connection lasts.
 *
 * There is one timer for all of them: a thousand shards would otherwise leave thousands behind every second, which V8 has
 * to find again.
 */
export class Looks implements Disposable {
  readonly #look: () => void
  #timer: NodeJS.Timeout | undefined
  #pauseMs = Number.NaN
  #isOver = false

  constructor(look: () => void) {
    this.#look = look
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** The next look is taken then, and no other; none when it is over. */
  after(pauseMs: number): void {
    if (this.#isOver) return
    if (this.#timer && pauseMs === this.#pauseMs) {
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#look, pauseMs)
    this.#pauseMs = pauseMs
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }
}
