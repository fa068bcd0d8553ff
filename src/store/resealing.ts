/**
 * Seals every secret anew, under the key that seals now: what is left to do when the cluster's key has been replaced.
 * May be cut short at any time and run again.
 */
import type { Collection } from './collection.ts'
import type { State } from './state.ts'

/** As many as etcd takes in one transaction, by default 128 operations. */
const AT_ONCE = 100

export async function sealAnew(state: State): Promise<void> {
  await sealCollection(state, state.databases)
  await sealCollection(state, state.users)
  await sealCollection(state, state.certificates)
  await sealCollection(state, state.ldap)
}

async function sealCollection<T>({ view }: State, collection: Collection<T>): Promise<void> {
  let ids = collection.ids()
  while (ids.length > 0) {
    const held = ids.slice(0, AT_ONCE).flatMap((id) => collection.get(id) ?? [])
    const outcome = await view.commit({
      compare: held.map((one) => collection.unchanged(one.id, one)),
      changes: held.map(({ id, value }) => collection.put(id, value)),
      configuration: false,
    })
    if (outcome.committed) ids = ids.slice(AT_ONCE)
  }
}
