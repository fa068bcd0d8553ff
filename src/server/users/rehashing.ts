/**
 * Hashes the passwords of users anew after the cluster has chosen another algorithm: one after another, so that it costs
 * one core at most, and from what the state says, so that neither a crash nor a password that was hashed the old way
 * meanwhile leaves any behind. Everybody signs in as before while it goes on, and tokens stay good.
 */
import type { UserDocument, UserPassword } from '#model/documents/access.ts'
import type { State } from '#store/state.ts'
import { type HashingAlgorithm, hashAnew, hashingAlgorithm, isHashedWith } from './password-hash.ts'

const AFTER_TROUBLE_MS = 10_000

type Log = { info(facts: object, message: string): void; warn(facts: object, message: string): void }

export class Rehashing {
  readonly #state: State
  readonly #log: Log
  #round: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false
  #unwatch: (() => void) | undefined

  constructor({ state, log }: { state: State; log: Log }) {
    this.#state = state
    this.#log = log
  }

  start(): void {
    const { view, cluster, users } = this.#state
    this.#unwatch = view.onChange((collection) => {
      if (collection === cluster || collection === users) this.#look()
    })
    this.#look()
  }

  /** What is left is done after the next start. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#unwatch?.()
    clearTimeout(this.#timer)
    await this.#round
  }

  /** Another round looks again when it is through, so what changes meanwhile is not missed. */
  #look(): void {
    if (this.#isClosed || this.#round || this.#behind().length === 0) return
    clearTimeout(this.#timer)
    this.#round = this.#rehashAll()
      .catch((error) => {
        this.#log.warn({ err: error }, 'passwords cannot be hashed anew now')
        if (!this.#isClosed) this.#timer = setTimeout(() => this.#look(), AFTER_TROUBLE_MS).unref()
        return false
      })
      .then((isThrough) => {
        this.#round = undefined
        if (isThrough) this.#look()
      })
  }

  /** False: it was stopped. */
  async #rehashAll(): Promise<boolean> {
    let count = 0
    for (const uid of this.#behind()) {
      if (this.#isClosed) return false
      if (await this.#rehash(uid)) count++
    }
    this.#log.info({ algorithm: hashingAlgorithm(this.#state), users: count }, 'passwords hashed anew')
    return true
  }

  #behind(): number[] {
    const algorithm = hashingAlgorithm(this.#state)
    return [...this.#state.users.values()].flatMap(({ value }) => (isBehind(value, algorithm) ? value.uid : []))
  }

  /** False: somebody has changed the user meanwhile; the next round sees how they are then. */
  async #rehash(uid: number): Promise<boolean> {
    const { users, view } = this.#state
    const held = users.get(uid)
    if (!held) return false
    const algorithm = hashingAlgorithm(this.#state)
    const passwords: UserPassword[] = []
    for (const one of held.value.passwords) {
      const isDone = isHashedWith(algorithm, one.hash)
      passwords.push(isDone ? one : { ...one, hash: await hashAnew(one.sha256, algorithm) })
    }
    const { committed } = await view.commit({
      compare: [users.unchanged(uid, held)],
      changes: [users.put(uid, { ...held.value, passwords })],
      // Nobody has changed anything that shows.
      configuration: false,
    })
    return committed
  }
}

function isBehind({ passwords }: UserDocument, algorithm: HashingAlgorithm): boolean {
  return passwords.some(({ hash }) => !isHashedWith(algorithm, hash))
}
