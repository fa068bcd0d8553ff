/**
 * Changing who may do what: one transaction, one at a time. Rules such as "there is always an administrator" speak of
 * several documents; so every such change also writes the counters, and of two at the same time one begins anew.
 */
import { NOTHING_GIVEN } from '#model/documents/cluster.ts'
import type { Change, Compare } from '#store/contract.ts'
import { checkStateId, expectedStateId } from '../databases/locks.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { flag } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const TRIES = 50

type Counter = 'user' | 'role' | 'redisAcl' | 'ldapMapping' | 'webhook'

export type Drawn = {
  /** A number that was never given out. */
  readonly uidOf: (counter: Counter) => number
}

type Edit<T> = (drawn: Drawn) => {
  readonly changes: readonly Change[]
  readonly compare: readonly Compare[]
  readonly result: T
}

type Terms = { readonly dryRun: boolean; readonly ifStateId: number | undefined }

/** `edit` reads everything anew each time, throws a Refusal, or says what to write. With `?dry_run` nothing is written. */
export async function changeAccess<T>(request: ApiRequest, parts: Parts, edit: Edit<T>): Promise<T> {
  const terms = { dryRun: flag(request.query, 'dry_run'), ifStateId: expectedStateId(request) }
  return await writeAccess(parts, edit, terms)
}

/** The same where it is not the caller who says on which terms. */
export function writeAccess<T>(
  parts: Parts,
  edit: Edit<T>,
  terms: Terms = { dryRun: false, ifStateId: undefined },
): Promise<T> {
  // One after another here, so that only another node can be in the way.
  return parts.allocation.run(() => change(parts, edit, terms))
}

async function change<T>(parts: Parts, edit: Edit<T>, { dryRun, ifStateId }: Terms): Promise<T> {
  const { counters, view } = parts.state
  for (let tries = 0; tries < TRIES; tries++) {
    const held = counters.get('')
    const given = { ...NOTHING_GIVEN, ...held?.value }
    const { changes, compare, result } = edit({ uidOf: (counter) => ++given[counter] })
    checkStateId(parts, ifStateId)
    if (dryRun) return result
    const outcome = await view.commit({
      compare: [...compare, counters.unchanged('', held)],
      changes: [...changes, counters.put('', given)],
      configuration: true,
      ifStateId,
    })
    if (outcome.committed) return result
  }
  return refuse('busy', { description: 'Too many changes at the same time; try again.' })
}

/** The uid of the path; refuses what is none. */
export function uidIn(request: ApiRequest, missing: RefusalCode): number {
  const uid = Number(request.params.uid)
  return Number.isInteger(uid) && uid > 0 ? uid : refuse(missing)
}
