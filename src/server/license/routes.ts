/**
 * The licence, for tools that look at it: there is none to expire and no limit of shards. What is in use is counted.
 */
import Type from 'typebox'
import { LicenseObject, LicenseRequest, licenseParser, NO_SHARD_LIMIT } from '#model/license.ts'
import { wireTime } from '../databases/render.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Route } from '../http/route.ts'

export const licenseRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/license',
    access: 'view_license',
    summary: 'The licence: none that could expire, and no limit of shards',
    answers: LicenseObject,
    refusals: ['not_found'],
    handle: (_request, { state }) => {
      const cluster = state.cluster.get('')?.value
      let shards = 0
      for (const { value } of state.databases.values()) shards += value.shards.length
      return {
        json: {
          license: '',
          key: '',
          expired: false,
          activation_date: wireTime(cluster?.createdAt ?? ''),
          expiration_date: '9999-12-31T23:59:59Z',
          cluster_name: cluster?.name ?? '',
          owner: '',
          features: [],
          shards_limit: NO_SHARD_LIMIT,
          ram_shards_limit: NO_SHARD_LIMIT,
          ram_shards_in_use: shards,
          flash_shards_limit: 0,
          flash_shards_in_use: 0,
        },
      }
    },
  },
  {
    method: 'PUT',
    path: '/v1/license',
    access: 'install_new_license',
    summary: 'Install a licence: the empty one, which is what there is; any other is refused',
    body: LicenseRequest,
    answers: Type.Object({}),
    refusals: ['missing_field', 'unknown_field', 'invalid_field', 'invalid_license'],
    handle: (request) => {
      const { license } = parseGiven(licenseParser, request, 'update')
      if (license === undefined)
        refuse('missing_field', { field: 'license', description: 'license must be the text of a licence.' })
      return { json: {} }
    },
  },
]
