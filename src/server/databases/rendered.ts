/**
 * The JSON of every database, made once per revision of what it shows: a GET costs a map look-up. Nothing else may
 * write JSON of a database, so that two answers about one revision are the same bytes.
 */
import type { Revision } from '#store/contract.ts'
import type { State } from '#store/state.ts'
import { etagOf, type RenderedDatabase, renderDatabase } from './render.ts'

/** What was made, and the revisions of the documents that it shows. */
type Made = {
  /** Up to this revision of everything it has been seen to be right. */
  asOf: Revision
  readonly database: Revision
  readonly status: Revision | undefined
  readonly cluster: Revision | undefined
  readonly node: Revision | undefined
  readonly etag: string
  readonly object: RenderedDatabase
  /** Bytes, not text: they are written many times, and text would have to be encoded each time. */
  readonly json: Buffer
}

export class RenderedDatabases {
  readonly #state: State
  readonly #made = { plain: new Map<string, Made>(), extended: new Map<string, Made>() }
  #list: { readonly revision: number; readonly json: Buffer } | undefined

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
    const cache = extended ? this.#made.extended : this.#made.plain
    const known = cache.get(id)
    const asOf = this.#state.view.revision
    if (known?.asOf === asOf) return known
    const database = this.#state.databases.get(id)
    if (!database) return undefined
    const status = this.#state.statuses.get(id)
    const cluster = this.#state.cluster.get('')
    const node = this.#state.nodes.get(database.value.shards[0]?.nodeUid ?? 0)
    if (
      known?.database === database.revision &&
      known.status === status?.revision &&
      known.cluster === cluster?.revision &&
      known.node === node?.revision
    ) {
      known.asOf = asOf
      return known
    }
    const context = { clusterName: cluster?.value.name ?? '', address: node?.value.address ?? '' }
    const object = renderDatabase(database.value, status?.value, context, extended)
    const made: Made = {
      asOf,
      database: database.revision,
      status: status?.revision,
      cluster: cluster?.revision,
      node: node?.revision,
      etag: etagOf(database.value),
      object,
      json: Buffer.from(JSON.stringify(object)),
    }
    cache.set(id, made)
    return made
  }

  /** All databases by uid. */
  all(extended: boolean): Made[] {
    const uids = [...this.#state.databases.values()].map(({ value }) => value.uid).sort((a, b) => a - b)
    return uids.flatMap((uid) => this.one(uid, extended) ?? [])
  }

  /** The JSON array of all databases, kept for as long as nothing changes at all. */
  list(): Buffer {
    const { revision } = this.#state.view
    if (this.#list?.revision === revision) return this.#list.json
    const parts = this.all(false).flatMap(({ json: one }, index) => (index === 0 ? [one] : [COMMA, one]))
    const json = Buffer.concat([OPEN, ...parts, CLOSE])
    this.#list = { revision, json }
    return json
  }
}

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')]
