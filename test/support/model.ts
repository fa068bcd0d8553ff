/**
 * Documents and observations for tests of pure rules: whole, valid, and changed where a test says so.
 */
import { databaseDefaults } from '#model/database/schema.ts'
import type { ActionDocument } from '#model/documents/action.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead, StatusDocument } from '#model/documents/status.ts'
import { newAction } from '#plan/action.ts'
import { UNLIMITED } from '#plan/copies.ts'
import { NO_ATTEMPTS, type Situation } from '#plan/database.ts'
import { leadOf } from '#plan/leads.ts'
import { placesFor } from '#plan/placement.ts'
import { shardSpec } from '#plan/shard-spec.ts'
import { specDigest } from '#plan/spec-digest.ts'
import type { ObservedShard } from '#plan/step.ts'

const NO_TLS = {
  tls: { minVersion: '1.2' as const, ciphers: '', cipherSuites: '' },
  certificateOf: () => undefined,
  internodeCertificate: undefined,
}
export const AROUND = {
  listenHost: '127.0.0.1',
  addressOf: () => '127.0.0.1',
  people: [],
  acls: new Map<number, string>(),
  allChannels: true,
  ...NO_TLS,
}
export const NOW_MS = 1_700_000_000_000

export function aDatabase(changes: Partial<DatabaseDocument> = {}): DatabaseDocument {
  return {
    uid: 7,
    generation: 1,
    edition: 1,
    createdAt: '2026-01-01T00:00:00.000Z',
    changedAt: '2026-01-01T00:00:00.000Z',
    config: { ...databaseDefaults(), name: 'orders', memory_size: 10_000_000 },
    extraPasswords: [],
    endpointPort: 12_000,
    innerPort: null,
    engine: { name: 'redis', version: '7.0.15' },
    shards: placesFor([], [], { shardsCount: 1, isReplicated: false, firstShardUid: 70, nodeUid: 1 }),
    flushes: 0,
    lastFlush: 0,
    handOver: [],
    actionUid: 'action-1',
    previous: null,
    deletion: null,
    ...changes,
  }
}

export function aStatus(changes: Partial<StatusDocument> = {}): StatusDocument {
  return { databaseUid: 7, phase: 'converged', generation: 1, reason: '', leads: [], ...changes }
}

export function anAction(changes: Partial<ActionDocument> = {}): ActionDocument {
  const fields = { uid: 'action-1', kind: 'create-database' as const, databaseUid: 7, description: 'starting' }
  return { ...newAction(fields, NOW_MS), ...changes }
}

/** The shard as it is when it runs exactly as the document says. */
export function aShard(
  database: DatabaseDocument,
  changes: Partial<ObservedShard> = {},
  leads: readonly Lead[] = [],
): ObservedShard {
  const place = database.shards.find(({ uid }) => uid === changes.uid) ?? database.shards[0]
  if (!place) throw new Error('the database has no shard')
  const spec = shardSpec(database, place, AROUND, leadOf(leads, database.shards, place))
  return {
    uid: place.uid,
    databaseUid: database.uid,
    state: 'running',
    pid: 4711,
    role: spec.role.kind,
    isLinked: spec.role.kind === 'replica',
    linkLostAt: null,
    withoutSlotsSince: null,
    onlineReplicas: spec.role.kind === 'primary' && spec.role.isReplicated ? 1 : 0,
    completeTerm: spec.role.term,
    engineVersion: database.engine.version,
    cluster: null,
    spec,
    specDigest: specDigest(spec),
    flushes: database.flushes,
    loadingPercent: null,
    diedInDrill: false,
    lastWords: null,
    since: NOW_MS,
    ...changes,
  }
}

export function aSituation(changes: Partial<Situation> = {}): Situation {
  return {
    database: aDatabase(),
    status: undefined,
    action: anAction(),
    observed: [],
    endpoint: undefined,
    attempts: NO_ATTEMPTS,
    around: AROUND,
    room: UNLIMITED,
    nowMs: NOW_MS,
    ...changes,
  }
}
