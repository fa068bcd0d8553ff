/**
 * The JSON of every database, made once per revision of what it shows: a GET costs a map look-up. Nothing else may
 * write JSON of a database, so that two answers about one revision are the same bytes.
 */
import type { State } from '#store/state.ts'
import { type RenderedDatabase, renderDatabase } from './render.ts'

type Made = {
  readonly madeFrom: string
  readonly object: RenderedDatabase
  readonly json: string
}

export class RenderedDatabases {
  readonly #state: State
  readonly #made = { plain: new Map<string, Made>(), extended: new Map<string, Made>() }
  #list: { readonly revision: number; readonly json: string } | undefined

  constructor(state: State) {
    this.#state = state
    state.view.onChange((collection, id) => {
      if (collection !== state.databases || state.databases.get(id)) return
      this.#made.plain.delete(id)
      this.#made.extended.delete(id)
    })
  }

  /** Undefined when there is no such database. */
  one(uid: string | number, extended: boolean): Made | undefined {
    const id = String(uid)
    const database = this.#state.databases.get(id)
    if (!database) return undefined
    const status = this.#state.statuses.get(id)
    const cluster = this.#state.cluster.get('')
    const node = this.#state.nodes.get(database.value.shards[0]?.nodeUid ?? 0)
    const madeFrom = `${database.revision} ${status?.revision} ${cluster?.revision} ${node?.revision}`
    const cache = extended ? this.#made.extended : this.#made.plain
    const known = cache.get(id)
    if (known?.madeFrom === madeFrom) return known
    const context = { clusterName: cluster?.value.name ?? '', address: node?.value.address ?? '' }
    const object = renderDatabase(database.value, status?.value, context, extended)
    const made = { madeFrom, object, json: JSON.stringify(object) }
    cache.set(id, made)
    return made
  }

  /** All databases by uid. */
  all(extended: boolean): Made[] {
    const uids = [...this.#state.databases.values()].map(({ value }) => value.uid).sort((a, b) => a - b)
    return uids.flatMap((uid) => this.one(uid, extended) ?? [])
  }

  /** The JSON array of all databases, kept for as long as nothing changes at all. */
  list(): string {
    const { revision } = this.#state.view
    if (this.#list?.revision === revision) return this.#list.json
    const json = `[${this.all(false)
      .map((made) => made.json)
      .join(',')}]`
    this.#list = { revision, json }
    return json
  }
}
