/**
 * DNS suffixes: the name of the cluster is the one that there is. Whoever runs the name server publishes what ends with
 * it; nothing here does.
 */
import Type from 'typebox'
import { defaultsOf } from '#model/parse.ts'
import { SuffixObject } from '#model/suffix.ts'
import { theCluster } from '../cluster/render.ts'
import { refuse } from '../errors.ts'
import type { Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'

export const suffixRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/suffixes',
    access: 'view_cluster_info',
    summary: 'What the names of endpoints end with',
    answers: Type.Array(SuffixObject),
    refusals: [],
    handle: (_request, parts) => ({ json: [ownSuffix(parts)] }),
  },
  {
    method: 'GET',
    path: '/v1/suffix/{name}',
    access: 'view_cluster_info',
    summary: 'One suffix, by its name',
    answers: SuffixObject,
    refusals: ['suffix_not_exist'],
    handle: ({ params }, parts) => {
      const { name = '' } = params
      const own = ownSuffix(parts)
      // Names in DNS are the same in any case.
      if (name.toLowerCase() === own.name.toLowerCase()) return { json: own }
      const description = `There is no suffix ${JSON.stringify(name.slice(0, 80))}, only ${own.name}.`
      return refuse('suffix_not_exist', { description })
    },
  },
]

function ownSuffix(parts: Parts) {
  return { ...defaultsOf(SuffixObject), name: theCluster(parts).value.name, default: true }
}
