/**
 * Which database is where, by name, kept up from the state in memory: what the discovery service tells. A name that ends
 * in `@internal` means the endpoint as it is reached from within the cluster. Endpoints have one address here, so both
 * lead to the same.
 *
 * A database is told of from the moment that it serves for the first time until somebody deletes it, also while it is
 * being repaired: it will be back at the same place. A port that is being changed is told when it has come true. Of
 * several databases with one name the oldest is meant, so that nobody's applications move because of a newer one.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { State } from '#store/state.ts'

export type Place = {
  readonly uid: number
  readonly name: string
  readonly host: string
  readonly port: number
  /** How often a replica has taken over. */
  readonly epoch: number
}

/** What has become of a name: where it led before, and where it leads now. */
export type News = { readonly name: string; readonly before: Place | undefined; readonly after: Place | undefined }

export type Named = readonly [name: string, place: Place]

const INTERNAL = '@internal'

export class Directory {
  readonly #state: State
  readonly #byUid = new Map<number, Place>()
  readonly #byName = new Map<string, Place[]>()
  readonly #listeners = new Set<(news: News) => void>()
  #names: readonly Named[] | undefined
  readonly #stopFollowing: () => void

  constructor(state: State) {
    this.#state = state
    for (const { value } of state.databases.values()) this.#put(value.uid, this.#placeOf(value.uid))
    this.#stopFollowing = state.view.onChange((collection, id) => {
      if (collection === state.databases || collection === state.statuses) this.#look(Number(id))
      else if (collection === state.nodes) for (const { value } of state.databases.values()) this.#look(value.uid)
    })
  }

  close(): void {
    this.#stopFollowing()
    this.#listeners.clear()
  }

  onNews(listener: (news: News) => void): void {
    this.#listeners.add(listener)
  }

  find(name: string): Place | undefined {
    const plain = name.endsWith(INTERNAL) ? name.slice(0, -INTERNAL.length) : name
    return this.#byName.get(plain)?.[0]
  }

  /** Every name with where it leads, the oldest database first; the same list for as long as nothing changes. */
  names(): readonly Named[] {
    const places = () => [...this.#byName.values()].flatMap(([first]) => first ?? [])
    this.#names ??= places()
      .sort((one, other) => one.uid - other.uid)
      .flatMap((place) => aliasesOf(place.name).map((name): Named => [name, place]))
    return this.#names
  }

  #look(uid: number): void {
    const before = this.#byUid.get(uid)
    const after = this.#placeOf(uid)
    if (!before && !after) return
    const names = new Set([before, after].flatMap((place) => place?.name ?? []))
    const known = new Map([...names].map((name) => [name, this.find(name)]))
    this.#put(uid, after)
    for (const [name, led] of known) this.#announce(name, led, this.find(name))
  }

  #announce(plain: string, before: Place | undefined, after: Place | undefined): void {
    if (before?.host === after?.host && before?.port === after?.port) return
    for (const name of aliasesOf(plain)) for (const listener of this.#listeners) listener({ name, before, after })
  }

  #put(uid: number, place: Place | undefined): void {
    this.#names = undefined
    const before = this.#byUid.get(uid)
    if (before) {
      const others = (this.#byName.get(before.name) ?? []).filter((other) => other.uid !== uid)
      if (others.length > 0) this.#byName.set(before.name, others)
      else this.#byName.delete(before.name)
      this.#byUid.delete(uid)
    }
    if (!place) return
    this.#byUid.set(uid, place)
    const all = [...(this.#byName.get(place.name) ?? []), place]
    this.#byName.set(
      place.name,
      all.sort((one, other) => one.uid - other.uid),
    )
  }

  #placeOf(uid: number): Place | undefined {
    const database = this.#state.databases.get(uid)?.value
    const status = this.#state.statuses.get(uid)?.value
    const node = this.#state.nodes.get(database?.shards[0]?.nodeUid ?? 0)?.value
    if (!database || !node || !status || status.generation === 0) return undefined
    if (database.deletion || status.phase === 'creation-failed') return undefined
    return {
      uid,
      name: database.config.name,
      host: node.address,
      port: portOf(database, status.generation),
      epoch: status.leads.reduce((sum, { term }) => sum + term - 1, 0),
    }
  }
}

function portOf({ generation, previous, endpointPort }: DatabaseDocument, trueSince: number): number {
  return trueSince < generation && previous ? previous.endpointPort : endpointPort
}

/** As the original lists them. */
function aliasesOf(name: string): string[] {
  return [name + INTERNAL, name]
}
