/**
 * The node that a path names. Callers: the routes of nodes.
 */
import type { NodeDocument } from '#model/documents/cluster.ts'
import type { Held } from '#store/collection.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'

/** Throws a Refusal. `field`: where in the body the uid was given. */
export function findNode({ state }: Parts, uid = '', field?: string): Held<NodeDocument> {
  const description = `There is no node with the uid ${uid.slice(0, 40)}.`
  return state.nodes.get(uid) ?? refuse('node_not_found', { description, ...(field === undefined ? {} : { field }) })
}
