/**
 * A support package: what somebody needs to see who helps from afar, as a tar.gz that is made while it is sent, in bounded
 * memory. Nothing secret is in it: documents are shown masked, users and certificates not at all, and every text is
 * looked through for each secret that there is.
 */
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { createTarPacker } from 'modern-tar'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Agent } from '#plan/agent.ts'
import { renderCluster, renderPolicy, theCluster } from '../cluster/render.ts'
import { renderNode } from '../nodes/render.ts'
import type { Parts } from '../parts.ts'
import { checkNodes, shownFindings } from './checks.ts'
import { scrubberOf } from './scrub.ts'

export type PackageScope = {
  /** Those in it; also what the cluster and its nodes have written, unless it is only about databases. */
  readonly databaseUids: readonly number[]
  readonly nodeUids: readonly number[]
  readonly hasCluster: boolean
}

type Entry = { readonly name: string; readonly text: string }

/** The newest of each log: what happened last is what is asked about. */
const LOG_BYTES = { controlPlane: 4_000_000, proxy: 500_000, shard: 250_000 }
const EVENTS = 5_000
const INFO_TIMEOUT_MS = 1_000
const GZIP_LEVEL = 6

export function supportPackage(parts: Parts, scope: PackageScope): Readable {
  const { readable, controller } = createTarPacker()
  const scrub = scrubberOf(parts.state.secrets())
  const pack = async () => {
    for await (const { name, text } of entries(parts, scope)) await add(controller, name, scrub(text), parts.now())
    controller.finalize()
  }
  pack().catch((error: unknown) => controller.error(error))
  const zip = createGzip({ level: GZIP_LEVEL })
  // An error of either end, or a caller who goes away, ends all of it.
  return Readable.fromWeb(readable).compose(zip)
}

type Controller = ReturnType<typeof createTarPacker>['controller']

async function add(controller: Controller, name: string, text: string, nowMs: number): Promise<void> {
  const bytes = Buffer.from(text)
  const body = controller.add({ name: `holdfast/${name}`, size: bytes.length, mode: 0o600, mtime: new Date(nowMs) })
  const writer = body.getWriter()
  if (bytes.length > 0) await writer.write(bytes)
  await writer.close()
}

async function* entries(parts: Parts, scope: PackageScope): AsyncGenerator<Entry> {
  if (scope.hasCluster) yield* clusterEntries(parts)
  for (const nodeUid of scope.nodeUids) yield* nodeEntries(parts, nodeUid)
  for (const uid of scope.databaseUids) {
    const database = parts.state.databases.get(uid)
    if (database) yield* databaseEntries(parts, database.value)
  }
}

async function* clusterEntries(parts: Parts): AsyncGenerator<Entry> {
  const { state, events, softwareVersion } = parts
  const cluster = theCluster(parts).value
  yield json('cluster.json', { ...renderCluster(parts, cluster), software_version: softwareVersion })
  yield json('policy.json', renderPolicy(parts, cluster))
  yield json(
    'roles.json',
    [...state.roles.values()].map(({ value }) => value),
  )
  yield json(
    'redis-acls.json',
    [...state.redisAcls.values()].map(({ value }) => value),
  )
  yield json(
    'actions.json',
    [...state.actions.values()].map(({ value }) => value),
  )
  const query = { sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER, order: 'desc' as const, offset: 0, limit: EVENTS }
  yield lines('events.jsonl', (await events.read({ ...query, isVisible: () => true })).reverse())
}

async function* nodeEntries(parts: Parts, nodeUid: number): AsyncGenerator<Entry> {
  const node = parts.state.nodes.get(nodeUid)?.value
  if (!node) return
  const folder = `nodes/${nodeUid}`
  yield json(`${folder}/node.json`, await renderNode(parts, node))
  yield json(`${folder}/checks.json`, (await checkNodes(parts, [node])).map(shownFindings))
  const agent = parts.agents.get(nodeUid)
  if (!agent) return
  yield json(`${folder}/observed.json`, [...agent.observed().values()].map(withoutAccounts))
  yield json(`${folder}/endpoints.json`, [...agent.endpoints().values()])
  yield* log(agent, `${folder}/holdfast.log`, { kind: 'control-plane' }, LOG_BYTES.controlPlane)
  yield* log(agent, `${folder}/proxy.log`, { kind: 'proxy' }, LOG_BYTES.proxy)
}

async function* databaseEntries(parts: Parts, { uid, shards }: DatabaseDocument): AsyncGenerator<Entry> {
  const { state, databases, agents } = parts
  const folder = `databases/${uid}`
  const made = databases.one(uid, { extended: true, masked: true })
  if (made) yield json(`${folder}/database.json`, made.object)
  yield json(`${folder}/status.json`, state.statuses.get(uid)?.value ?? null)
  yield json(`${folder}/places.json`, shards)
  for (const { uid: shardUid, nodeUid } of shards) {
    const agent = agents.get(nodeUid)
    if (!agent) continue
    const info = await agent.info(shardUid, INFO_TIMEOUT_MS)
    yield json(`${folder}/shards/${shardUid}/info.json`, info)
    yield* log(agent, `${folder}/shards/${shardUid}/engine.log`, { kind: 'shard', shardUid }, LOG_BYTES.shard)
  }
}

async function* log(
  agent: Agent,
  name: string,
  of: Parameters<Agent['logTail']>[0],
  maxBytes: number,
): AsyncGenerator<Entry> {
  const text = await agent.logTail(of, maxBytes)
  if (text !== null) yield { name, text }
}

/** The hashes of passwords are in what a process was started with. */
export function withoutAccounts<T extends { readonly spec: object | null }>(shard: T): object {
  return { ...shard, spec: shard.spec && { ...shard.spec, users: undefined } }
}

function json(name: string, value: unknown): Entry {
  return { name, text: `${JSON.stringify(value, null, 2)}\n` }
}

function lines(name: string, values: readonly unknown[]): Entry {
  return { name, text: values.map((value) => `${JSON.stringify(value)}\n`).join('') }
}
