/**
 * How the passwords of users are hashed for logins to the API. What is chosen is written down here; `users/rehashing.ts`
 * makes it so.
 */
import Type from 'typebox'
import { theCluster } from '../cluster/render.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import { CHANGE_REFUSALS, changeSettings } from '../settings-object.ts'
import { type HashingAlgorithm, hashingAlgorithm } from '../users/password-hash.ts'

const PATH = '/v1/cluster/change_password_hashing_algorithm'
const Wanted = Type.Object({
  algorithm: Type.Enum(['argon2id', 'PBKDF2'], { description: 'SHA-256, which the original has too, is refused.' }),
})

export const hashingRoutes: readonly Route[] = [
  {
    method: 'PATCH',
    path: PATH,
    access: 'update_cluster',
    summary: 'Have the passwords of all users hashed anew with another algorithm',
    query: [DRY_RUN],
    body: Wanted,
    refusals: ['missing_field', 'unknown_field', 'invalid_field', 'hashing_algorithm_already_set', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      const algorithm = wantedOf(request)
      await changeSettings(
        request,
        parts,
        parts.state.cluster,
        () => theCluster(parts),
        (cluster) => {
          if (hashingAlgorithm(parts.state) === algorithm)
            refuse('hashing_algorithm_already_set', { field: 'algorithm' })
          return { ...cluster, settings: { ...cluster.settings, password_hashing_algorithm: algorithm } }
        },
      )
      return { json: null }
    },
  },
]

/** Throws a Refusal. */
function wantedOf({ body }: ApiRequest): HashingAlgorithm {
  const { algorithm, ...others } = objectBody(body)
  const [field] = Object.keys(others)
  if (field !== undefined)
    refuse('unknown_field', { field, description: `There is no field ${field}; algorithm is what can be set.` })
  if (algorithm === undefined)
    return refuse('missing_field', { field: 'algorithm', description: 'Say which algorithm: PBKDF2 or argon2id.' })
  if (algorithm === 'PBKDF2' || algorithm === 'argon2id') return algorithm
  const description =
    algorithm === 'SHA-256'
      ? 'SHA-256 alone is too fast to protect passwords of the API, and is not used; PBKDF2 and argon2id are.'
      : 'algorithm must be PBKDF2 or argon2id.'
  return refuse('invalid_field', { field: 'algorithm', description })
}
