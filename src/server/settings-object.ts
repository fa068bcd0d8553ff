/**
 * Objects that are mostly settings (cluster, policy, node): kept as the fields that were set, shown with the defaults of
 * their schema, changed by one transaction with compare. What they have in common is here; what is theirs, beside them.
 */
import type { Collection, Held } from '#store/collection.ts'
import type { Change } from '#store/contract.ts'
import { checkStateId, expectedStateId } from './databases/locks.ts'
import { type RefusalCode, refuse } from './errors.ts'
import { flag } from './http/body.ts'
import type { ApiRequest } from './http/route.ts'
import type { Parts } from './parts.ts'

const TRIES = 20

/** What `changeSettings` and `changeAccess` refuse with, whatever is changed. */
export const CHANGE_REFUSALS: readonly RefusalCode[] = ['wrong_cluster_state_id', 'busy', 'invalid_query']
/** What `parseGiven` and `changeSettings` refuse with. */
export const SETTINGS_REFUSALS: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'invalid_configuration',
  'unsupported_feature',
  ...CHANGE_REFUSALS,
]

/**
 * Writes `change(document)`, and what `change` puts into `also` in the same transaction; with `?dry_run` only returns it.
 * `change` begins anew when the document has become another: so it must parse the body itself, because what is left out
 * of partial objects is as the document has it.
 */
export async function changeSettings<T>(
  request: ApiRequest,
  parts: Parts,
  collection: Collection<T>,
  find: () => Held<T>,
  change: (document: T, also: Change[]) => T,
): Promise<T> {
  const dryRun = flag(request.query, 'dry_run')
  const ifStateId = expectedStateId(request)
  for (let tries = 0; tries < TRIES; tries++) {
    const held = find()
    const also: Change[] = []
    const changed = change(held.value, also)
    checkStateId(parts, ifStateId)
    if (dryRun) return changed
    const outcome = await parts.state.view.commit({
      compare: [collection.unchanged(held.id, held)],
      changes: [collection.put(held.id, changed), ...also],
      configuration: true,
      ifStateId,
    })
    if (outcome.committed) return changed
  }
  return refuse('busy', { description: 'Too many changes at the same time; try again.' })
}
