/**
 * The JSON of every database, made once per revision of what it shows: a GET costs a map look-up. Nothing else may
 * write JSON of a database, so that two answers about one revision are the same bytes.
 */
import type { Revision } from '#store/contract.ts'
import type { State } from '#store/state.ts'
import { masked } from './masking.ts'
import { etagOf, type RenderedDatabase, renderDatabase } from './render.ts'

/** How it is shown: with the configuration of modules, without its secrets. */
export type Form = { readonly extended: boolean; readonly masked: boolean }

/** What was made, and the revisions of the documents that it shows. */
type Made = {
  /** Up to this revision of everything it has been seen to be right. */
  asOf: Revision
  readonly database: Revision
  readonly status: Revision | undefined
  readonly cluster: Revision | undefined
  readonly node: Revision | undefined
  readonly rolesDeleted: number
  readonly etag: string
  readonly object: RenderedDatabase
  /** Bytes, not text: they are written many times, and text would have to be encoded each time. */
  readonly json: Buffer
}

export class RenderedDatabases {
  readonly #state: State
  readonly #caches = [0, 1, 2, 3].map(() => new Map<string, Made>())
  readonly #lists = new Map<boolean, { readonly revision: number; readonly json: Buffer }>()
  #rolesDeleted = 0

  constructor(state: State) {
    this.#state = state
    state.view.onChange((collection, id) => {
      if (collection === state.roles && !state.roles.get(id)) this.#rolesDeleted++
      if (collection !== state.databases || state.databases.get(id)) return
      for (const cache of this.#caches) cache.delete(id)
    })
  }

  /** Undefined when there is no such database. */
  one(uid: string | number, form: Form): Made | undefined {
    const id = String(uid)
    const cache = this.#cacheOf(form)
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
      known.node === node?.revision &&
      known.rolesDeleted === this.#rolesDeleted
    ) {
      known.asOf = asOf
      return known
    }
    const isRole = (role: number) => this.#state.roles.get(role) !== undefined
    const context = { clusterName: cluster?.value.name ?? '', address: node?.value.address ?? '', isRole }
    const whole = renderDatabase(database.value, status?.value, context, form.extended)
    const object = form.masked ? masked(whole) : whole
    const made: Made = {
      asOf,
      database: database.revision,
      status: status?.revision,
      cluster: cluster?.revision,
      node: node?.revision,
      rolesDeleted: this.#rolesDeleted,
      etag: etagOf(database.value),
      object,
      json: Buffer.from(JSON.stringify(object)),
    }
    cache.set(id, made)
    return made
  }

  /** Every database, by uid. */
  get uids(): number[] {
    return [...this.#state.databases.values()].map(({ value }) => value.uid).sort((one, other) => one - other)
  }

  /** The JSON array of all databases, kept for as long as nothing changes at all. */
  list(isMasked: boolean): Buffer {
    const { revision } = this.#state.view
    const known = this.#lists.get(isMasked)
    if (known?.revision === revision) return known.json
    const all = this.uids.flatMap((uid) => this.one(uid, { extended: false, masked: isMasked }) ?? [])
    const parts = all.flatMap(({ json: one }, index) => (index === 0 ? [one] : [COMMA, one]))
    const json = Buffer.concat([OPEN, ...parts, CLOSE])
    this.#lists.set(isMasked, { revision, json })
    return json
  }

  #cacheOf({ extended, masked: isMasked }: Form): Map<string, Made> {
    const cache = this.#caches[(extended ? 1 : 0) + (isMasked ? 2 : 0)]
    if (!cache) throw new Error('a form without a cache')
    return cache
  }
}

const [OPEN, COMMA, CLOSE] = [Buffer.from('['), Buffer.from(','), Buffer.from(']')]
