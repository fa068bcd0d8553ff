import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { Compile } from 'typebox/compile'
import { LdapObject } from './access/ldap.ts'
import { LdapMappingObject } from './access/ldap-mapping.ts'
import { ActionV1, ActionV2, DatabaseAction, NodeSnapshot } from './action.ts'
import { AuditingObject } from './auditing.ts'
import { BootstrapRequest, BootstrapStatus } from './bootstrap.ts'
import { ClusterObject } from './cluster.ts'
import { ClusterPolicy } from './cluster-policy.ts'
import { CmSettings } from './cm-settings.ts'
import { CrdbHealthReport, CrdbObject, CrdbTaskObject } from './crdb.ts'
import { RecoveryRequestObject } from './database/recovery.ts'
import { DatabaseObject } from './database/schema.ts'
import { Diagnostics } from './diagnostics.ts'
import type { Field } from './field.ts'
import { JobScheduler } from './job-scheduler.ts'
import { LicenseObject, LicenseRequest } from './license.ts'
import { LogSettings } from './logging.ts'
import { MetricsConfig } from './metrics-config.ts'
import { ModuleObject, ModuleSetupRequest, ModuleUpgradeRequest } from './module.ts'
import { NodeObject } from './node.ts'
import { OcspObject, OcspStatusObject } from './ocsp.ts'
import { compileObject, defaultsOf, jsonSchemaOf } from './parse.ts'
import { ProxyObject } from './proxy.ts'
import { ServiceOperation } from './service-operation.ts'
import { ServicesConfiguration } from './services.ts'
import type { ObjectSchema } from './shapes.ts'
import { ShardObject } from './shard.ts'
import { SsoObject } from './sso.ts'
import { SuffixObject } from './suffix.ts'

const OBJECTS: Readonly<Record<string, ObjectSchema>> = {
  bdb: DatabaseObject,
  recovery: RecoveryRequestObject,
  cluster: ClusterObject,
  cluster_settings: ClusterPolicy,
  cm_settings: CmSettings,
  diagnostics: Diagnostics,
  job_scheduler: JobScheduler,
  log_settings: LogSettings,
  metrics_config: MetricsConfig,
  service_operation: ServiceOperation,
  services_configuration: ServicesConfiguration,
  node: NodeObject,
  proxy: ProxyObject,
  shard: ShardObject,
  license: LicenseObject,
  'new license': LicenseRequest,
  crdb: CrdbObject,
  crdb_task: CrdbTaskObject,
  'crdb health report': CrdbHealthReport,
  module: ModuleObject,
  'settings of modules': ModuleSetupRequest,
  'upgrade of modules': ModuleUpgradeRequest,
  suffix: SuffixObject,
  'node snapshot': NodeSnapshot,
  bootstrap: BootstrapRequest,
  db_conns_auditing_config: AuditingObject,
  ldap: LdapObject,
  ldap_mapping: LdapMappingObject,
  ocsp: OcspObject,
  ocsp_status: OcspStatusObject,
  sso: SsoObject,
  'bootstrap status': BootstrapStatus,
  'action v1': ActionV1,
  'action v2': ActionV2,
  'action of a database': DatabaseAction,
}

/** Every field of every object, and the members within them, each with its path. */
function* allFields(fields: Readonly<Record<string, Field>>, path: string): Generator<[string, Field]> {
  for (const [name, field] of Object.entries(fields)) yield* within(field, `${path}.${name}`)
}

function* within(field: Field, path: string): Generator<[string, Field]> {
  yield [path, field]
  if (field.items) yield* within(field.items, `${path}[]`)
  yield* allFields(field.properties ?? {}, path)
}

const EVERY = Object.entries(OBJECTS).flatMap(([name, schema]) => [...allFields(schema.properties, name)])
const TOP = Object.entries(OBJECTS).flatMap(([object, schema]) =>
  Object.entries(schema.properties).map(([name, field]) => ({ object, schema, name, field })),
)

test('every default is right by its own schema', () => {
  for (const [path, field] of EVERY) {
    if (field.default === undefined || path.endsWith('[]')) continue
    const errors = Compile(field).Errors(field.default)
    assert.deepEqual(errors, [], `${path}: ${JSON.stringify(field.default)}`)
  }
})

test('every field says what it is and what it does here', () => {
  for (const { object, name, field } of TOP) {
    const path = `${object}.${name}`
    assert.ok(field.description, path)
    assert.ok(!field.description.includes('\n'), path)
    assert.ok(field['x-effect'], path)
    if (field['x-effect'] === 'kept' || field['x-effect'] === 'refused') {
      assert.match(field['x-why'] ?? '', /^[A-Z].*\.$/, path)
    }
    assert.equal(field['x-effect'] === 'reported', field.readOnly === true, path)
  }
})

test('a refused field accepts its own default, and lists only values of its own type', () => {
  for (const [path, field] of EVERY) {
    if (field['x-effect'] !== 'refused') continue
    const accepts = field['x-accepts'] ?? []
    assert.ok(
      accepts.some((value) => isDeepStrictEqual(value, field.default)),
      path,
    )
    for (const value of accepts) assert.ok(Compile(field).Check(value), path)
  }
})

test('every accepted value of a refused field can be sent', () => {
  for (const { object, schema, name, field } of TOP) {
    if (field['x-effect'] !== 'refused') continue
    for (const value of field['x-accepts'] ?? []) {
      const parsed = compileObject(schema).parse({ [name]: value }, 'create')
      assert.deepEqual(parsed, { ok: true, value: { [name]: value } }, `${object}.${name}`)
    }
  }
})

test('nothing that can be sent is unbounded', () => {
  for (const [path, field] of EVERY) {
    if (field.enum) continue
    switch (field.type) {
      case 'integer':
      case 'number':
        assert.ok(field.minimum !== undefined && field.maximum !== undefined, path)
        break
      case 'string':
        assert.ok(field.maxLength !== undefined, path)
        break
      case 'array':
        assert.ok((field.maxItems ?? Infinity) <= 10_000, path)
        break
    }
  }
})

test('a field that is absent until it is set has no default; every other has one, unless it is a number given out', () => {
  const givenOut = new Set(['uid', 'bdb_uid', 'action'])
  for (const { object, name, field } of TOP) {
    if (field['x-shown'] === 'when-set') assert.equal(field.default, undefined, `${object}.${name}`)
    else if (!givenOut.has(name)) assert.notEqual(field.default, undefined, `${object}.${name}`)
  }
})

test('no default can be written into', () => {
  for (const schema of Object.values(OBJECTS)) {
    for (const value of Object.values(defaultsOf(schema))) assert.ok(Object.isFrozen(value))
  }
})

test('the JSON Schema of an object is plain JSON with every field', () => {
  for (const [name, schema] of Object.entries(OBJECTS)) {
    const plain = jsonSchemaOf(schema)
    assert.deepEqual(JSON.parse(JSON.stringify(plain)), plain, name)
    assert.deepEqual(Object.keys(Object(plain.properties)), Object.keys(schema.properties), name)
    assert.equal(plain.required, undefined, `${name}: a request may leave out any field`)
  }
})
