/**
 * The other workers, as one of them reaches them: through the process that has the doors, which may be gone. Callers: the
 * program, as a worker.
 */
import type { ClientAnswer, ClientQuestion, Peers } from './peers.ts'
import type { WorkerQuestion } from './worker.ts'

/** Whoever passes it on has a shorter limit of its own. */
const PATIENCE_MS = 1_000

export class AskedPeers implements Peers {
  readonly #send: (question: WorkerQuestion) => void
  readonly #waiting = new Map<number, (answers: readonly ClientAnswer[]) => void>()
  #last = 0

  constructor(send: (question: WorkerQuestion) => void) {
    this.#send = send
  }

  ask(databaseUid: number, question: ClientQuestion): Promise<readonly ClientAnswer[]> {
    const number = ++this.#last
    return new Promise((resolve) => {
      const finish = (answers: readonly ClientAnswer[]) => {
        clearTimeout(timer)
        this.#waiting.delete(number)
        resolve(answers)
      }
      const timer = setTimeout(() => finish([]), PATIENCE_MS)
      this.#waiting.set(number, finish)
      this.#send({ number, databaseUid, question })
    })
  }

  take(number: number, answers: readonly ClientAnswer[]): void {
    this.#waiting.get(number)?.(answers)
  }
}
