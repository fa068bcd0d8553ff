/**
 * One at a time, in order of arrival: for the few pieces of work that would otherwise only make each other fail.
 */
export class Turn {
  #last: Promise<unknown> = Promise.resolve()

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work)
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
