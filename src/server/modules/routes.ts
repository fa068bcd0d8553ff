/**
 * Modules. None can be brought in, so the cluster has none, and no database uses one; what asks for one is refused by
 * its name. Callers that list them first find that out without an error.
 */
import Type from 'typebox'
import {
  ModuleArtifact,
  ModuleCapabilities,
  ModuleObject,
  ModuleSetupRequest,
  ModuleUpgradeRequest,
  moduleSetupParser,
  moduleUpgradeParser,
} from '#model/module.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'

export const moduleRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/modules',
    access: 'view_cluster_modules',
    summary: 'The modules that databases can use: none',
    answers: Type.Array(ModuleObject),
    refusals: [],
    handle: () => ({ json: [] }),
  },
  {
    method: 'GET',
    path: '/v1/modules/{uid}',
    access: 'view_cluster_modules',
    summary: 'One module',
    answers: ModuleObject,
    refusals: ['module_not_exist'],
    handle: noModule,
  },
  {
    method: 'GET',
    path: '/v1/cluster/module-capabilities',
    access: 'view_cluster_modules',
    summary: 'What the modules of the cluster can do',
    answers: ModuleCapabilities,
    refusals: [],
    handle: () => ({ json: { all_capabilities: [] } }),
  },
  ...(['/v1/bdbs/{uid}/modules/config', '/v1/modules/config/bdb/{uid}'] as const).map(
    (path): Route => ({
      method: 'POST',
      path,
      access: 'edit_bdb_module',
      summary: 'Set up modules of a database; it has none',
      body: ModuleSetupRequest,
      answers: Type.Object({}),
      refusals: ['db_not_exist', 'missing_field', 'unknown_field', 'invalid_field', 'module_not_exist'],
      handle: setUpModules,
    }),
  ),
  // The second is of older versions, as are the uploads below.
  ...(['/v1/bdbs/{uid}/modules/upgrade', '/v1/modules/upgrade/bdb/{uid}'] as const).map(
    (path): Route => ({
      method: 'POST',
      path,
      access: 'edit_bdb_module',
      summary: 'Change modules of a database to another version; there is none',
      body: ModuleUpgradeRequest,
      answers: ModuleObject,
      refusals: ['db_not_exist', 'missing_field', 'unknown_field', 'invalid_field', 'missing_module'],
      handle: upgradeModules,
    }),
  ),
  ...(['/v1/modules', '/v2/modules'] as const).flatMap((path): Route[] => [
    {
      method: 'POST',
      path,
      access: 'update_cluster',
      summary: 'Upload a module: refused',
      ignoresBody: true,
      answers: ModuleObject,
      refusals: ['unsupported_feature'],
      handle: refuseModule,
    },
    {
      method: 'DELETE',
      path: `${path}/{uid}`,
      access: 'update_cluster',
      summary: 'Delete a module',
      refusals: ['module_not_exist'],
      handle: noModule,
    },
  ]),
  {
    method: 'POST',
    path: '/v2/modules/user-defined',
    access: 'manage_cluster_modules',
    summary: 'Make a module of one’s own known: refused',
    body: ModuleObject,
    answers: ModuleObject,
    refusals: ['unsupported_feature'],
    handle: refuseModule,
  },
  {
    method: 'DELETE',
    path: '/v2/modules/user-defined/{uid}',
    access: 'manage_cluster_modules',
    summary: 'Forget a module of one’s own',
    refusals: ['module_not_exist'],
    handle: noModule,
  },
  {
    method: 'GET',
    path: '/v2/local/modules/user-defined/artifacts',
    access: 'view_cluster_modules',
    summary: 'The files of modules of one’s own on this node: none',
    answers: Type.Array(ModuleArtifact),
    refusals: [],
    handle: () => ({ json: [] }),
  },
  {
    method: 'POST',
    path: '/v2/local/modules/user-defined/artifacts',
    access: 'manage_cluster_modules',
    summary: 'Upload the files of a module of one’s own: refused',
    ignoresBody: true,
    refusals: ['unsupported_feature'],
    handle: refuseModule,
  },
  {
    method: 'DELETE',
    path: '/v2/local/modules/user-defined/artifacts/{module_name}/{version}',
    access: 'manage_cluster_modules',
    summary: 'Delete the files of a module of one’s own',
    refusals: ['module_not_exist'],
    handle: noModule,
  },
]

function noModule({ params }: ApiRequest): never {
  const name = String(params.uid ?? params.module_name).slice(0, 40)
  return refuse('module_not_exist', { description: `The cluster has no module ${JSON.stringify(name)}.` })
}

function refuseModule(): never {
  const description = 'Modules are not available yet: engines run without any.'
  return refuse('unsupported_feature', { description })
}

function setUpModules(request: ApiRequest, parts: Parts): Answer {
  const uid = databaseIn(request, parts)
  const { modules = lacking() } = parseGiven(moduleSetupParser, request, 'create')
  const [first] = modules
  if (!first) return { json: {} }
  const description = `Database ${uid} has no module ${JSON.stringify(first.module_name.slice(0, 40))}.`
  return refuse('module_not_exist', { field: 'modules[0].module_name', description })
}

function upgradeModules(request: ApiRequest, parts: Parts): Answer {
  databaseIn(request, parts)
  const { modules = lacking() } = parseGiven(moduleUpgradeParser, request, 'create')
  const [first] = modules
  if (!first) return { json: {} }
  const description = `The cluster has no module ${JSON.stringify(first.new_module.slice(0, 40))}.`
  return refuse('missing_module', { field: 'modules[0].new_module', description })
}

function lacking(): never {
  return refuse('missing_field', { field: 'modules', description: 'modules must say which modules.' })
}

function databaseIn({ params }: ApiRequest, { state }: Parts): number {
  return state.databases.get(params.uid ?? '')?.value.uid ?? noSuchDatabase(params.uid ?? '')
}
