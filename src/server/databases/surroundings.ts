/**
 * What the rest of the cluster decides about databases, read from the state at every look.
 */
import { canBeAccount } from '#model/access/names.ts'
import type { Person, Surroundings } from '#plan/shard-spec.ts'
import type { State } from '#store/state.ts'

export class LiveSurroundings implements Surroundings {
  readonly listenHost: string
  readonly #state: State
  #people: readonly Person[] | undefined
  #acls: ReadonlyMap<number, string> | undefined

  constructor(state: State, listenHost: string) {
    this.#state = state
    this.listenHost = listenHost
    state.view.onChange((collection) => {
      if (collection === state.users) this.#people = undefined
      if (collection === state.redisAcls) this.#acls = undefined
    })
  }

  get people(): readonly Person[] {
    this.#people ??= [...this.#state.users.values()]
      .map(({ value }) => value)
      .filter(({ name, passwords }) => canBeAccount(name) && passwords.length > 0)
      .sort((one, other) => one.uid - other.uid)
      .map(({ name, passwords, roleUids }) => ({
        name,
        passwordHashes: passwords.map(({ sha256 }) => sha256),
        roleUids,
      }))
    return this.#people
  }

  get acls(): ReadonlyMap<number, string> {
    this.#acls ??= new Map([...this.#state.redisAcls.values()].map(({ value }) => [value.uid, value.acl]))
    return this.#acls
  }

  get allChannels(): boolean {
    return this.#state.cluster.get('')?.value.policy.acl_pubsub_default !== 'resetchannels'
  }
}
