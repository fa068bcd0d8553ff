/**
 * How a database document changes: the transitions that the API and the reconciler write down. Pure: in goes a document,
 * out comes the next one. Kept together because each must leave the document in a state that `planDatabase` can finish
 * from, whatever happens in between.
 */
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { endpointDigest, endpointSpec } from './endpoint.ts'
import { leadOf } from './leads.ts'
import { needsRestart } from './needs-restart.ts'
import { canGoBack } from './replacing.ts'
import { servingOf } from './serving.ts'
import { type Surroundings, shardSpec } from './shard-spec.ts'
import { isSameSpec } from './spec-digest.ts'

/** What a change means for the processes of a database. */
export type Impact = {
  /** Some process has to learn of it; otherwise only the document changes. */
  readonly concernsProcesses: boolean
  /** Uids of the shards that have to be restarted, with the reason. */
  readonly restarts: readonly { readonly shardUid: number; readonly reason: string }[]
}

export type DatabaseEdit = {
  readonly config: DatabaseConfig
  readonly extraPasswords: readonly string[]
  readonly endpointPort: number
  readonly innerPort: number | null
  readonly flushes: number
  readonly isTrafficStopped?: boolean
  readonly engine: DatabaseDocument['engine']
  readonly shards: readonly ShardPlace[]
}

/** What there is, as an edit that changes nothing. */
export function unedited(database: DatabaseDocument): DatabaseEdit {
  const {
    config,
    extraPasswords,
    endpointPort,
    innerPort,
    flushes,
    isTrafficStopped = false,
    engine,
    shards,
  } = database
  return { config, extraPasswords, endpointPort, innerPort, flushes, isTrafficStopped, engine, shards }
}

/** The document with the edit in it; `actionUid` names the action that carries it out if processes are concerned. */
export function applyEdit(
  before: DatabaseDocument,
  edit: DatabaseEdit,
  options: { actionUid: string; nowIso: string; around: Surroundings; leads: readonly Lead[] },
): { after: DatabaseDocument; impact: Impact } {
  const { config, endpointPort, innerPort, flushes, engine, isTrafficStopped = false } = edit
  const extraPasswords = [...edit.extraPasswords]
  const edition = before.edition + 1
  const lastFlush = Math.max(before.lastFlush, flushes)
  const edited = {
    ...before,
    edition,
    lastFlush,
    config,
    extraPasswords,
    endpointPort,
    innerPort,
    flushes,
    isTrafficStopped,
    engine,
    shards: [...edit.shards],
    changedAt: options.nowIso,
  }
  const impact = impactOf(before, edited, options.around, options.leads)
  if (!impact.concernsProcesses) return { after: edited, impact }
  const previous = {
    config: before.config,
    extraPasswords: before.extraPasswords,
    endpointPort: before.endpointPort,
    innerPort: before.innerPort,
    flushes: before.flushes,
    isTrafficStopped: before.isTrafficStopped ?? false,
    engine: before.engine,
    shards: before.shards,
  }
  const generation = before.generation + 1
  return { after: { ...edited, generation, previous, actionUid: options.actionUid }, impact }
}

export function impactOf(
  before: DatabaseDocument,
  after: DatabaseDocument,
  around: Surroundings,
  leads: readonly Lead[],
): Impact {
  const pairs = after.shards.map((place) => {
    const lead = leadOf(leads, after.shards, place)
    return { place, old: shardSpec(before, place, around, lead), next: shardSpec(after, place, around, lead) }
  })
  const restarts = pairs.flatMap(({ place, old, next }) => {
    const reason = needsRestart(old, next)
    return reason === null ? [] : [{ shardUid: place.uid, reason }]
  })
  const differs = pairs.some(({ old, next }) => !isSameSpec(old, next))
  // The proxy may have to learn of what is none of the processes'.
  const endpoint = (database: DatabaseDocument) =>
    servingOf(database.config) === 'primary' ? '' : endpointDigest(endpointSpec(database, around, leads))
  const layout = ({ shards }: DatabaseDocument) =>
    JSON.stringify(shards.map(({ uid, slots, ports }) => [uid, slots, ports]))
  const others = layout(before) !== layout(after) || endpoint(before) !== endpoint(after)
  return { concernsProcesses: others || differs || after.flushes > before.flushes, restarts }
}

/** Back to what the change replaced. The generation still grows: going back is work for the processes too. */
export function undoChange(database: DatabaseDocument, nowIso: string): DatabaseDocument {
  const { previous } = database
  if (!previous) return database
  const generation = database.generation + 1
  const shards = [...previous.shards, ...leaving(database, previous.shards)]
  const undone = { ...previous, shards, generation, edition: database.edition + 1, previous: null, changedAt: nowIso }
  return { ...database, ...undone }
}

/** Shards that were added have slots by now that must be given back before they go. */
function leaving({ shards, config }: DatabaseDocument, stay: readonly ShardPlace[]): ShardPlace[] {
  if (!config.sharding) return []
  const added = shards.filter((place) => !stay.some(({ group }) => group === place.group))
  return added.map((place) => ({ ...place, slots: [] }))
}

/** The document while the database is being deleted. */
export function beginDeletion(database: DatabaseDocument, actionUid: string, nowIso: string): DatabaseDocument {
  return {
    ...database,
    deletion: database.deletion ?? { purging: false },
    previous: null,
    actionUid,
    changedAt: nowIso,
  }
}

/**
 * Undoes the action under way: an unfinished create is deleted, an unfinished change goes back, a delete that has not
 * begun to remove data is called off. Null: it is past the point where it could be undone.
 */
export function cancelUnderWay(
  database: DatabaseDocument,
  isNew: boolean,
  leads: readonly Lead[],
  nowIso: string,
): DatabaseDocument | null {
  if (database.deletion) return database.deletion.purging ? null : { ...database, deletion: null, changedAt: nowIso }
  if (isNew) return { ...database, deletion: { purging: true }, changedAt: nowIso }
  return canGoBack(database, leads) ? undoChange(database, nowIso) : null
}

/** The document while some of its primaries hand over, or die in a drill. */
export function beginHandOver(
  database: DatabaseDocument,
  primaryUids: readonly number[],
  { actionUid, drillTargetMs }: { readonly actionUid: string; readonly drillTargetMs: number | null },
): DatabaseDocument {
  const drill = drillTargetMs === null ? {} : { drillTargetMs }
  return { ...database, handOver: [...primaryUids], ...drill, actionUid }
}

/**
 * The document while it is tried anew to bring back what is down; `emptied`: shards that come back without their data. The
 * generation grows, and with it the attempts begin again.
 */
export function beginRecovery(
  database: DatabaseDocument,
  { actionUid, emptied }: { readonly actionUid: string; readonly emptied: readonly number[] },
): DatabaseDocument {
  const again = { ...database, generation: database.generation + 1, actionUid }
  if (emptied.length === 0) return again
  const flush = database.lastFlush + 1
  const shardUids = [...new Set([...(database.startEmpty?.shardUids ?? []), ...emptied])]
  return { ...again, lastFlush: flush, startEmpty: { flush, shardUids } }
}

/** Everything has come true, or been given up: no action is under way any more. */
export function settle(database: DatabaseDocument): DatabaseDocument {
  const { drillTargetMs: _over, startEmpty: _done, ...rest } = database
  const { config, shards } = rest
  // Whoever has been replaced, or has given its last slot away, is not part of it any more.
  const stay = shards.filter(({ slots, leaving }) => !leaving && (slots.length > 0 || !config.sharding))
  return { ...rest, shards: stay, actionUid: null, previous: null, handOver: [] }
}
