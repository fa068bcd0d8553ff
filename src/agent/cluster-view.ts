/**
 * What one of several shards says of itself and of the others, looked at for as long as its connection lasts: often while
 * something is under way, seldom when all has been the same for a while. Callers: the supervision, the steps that change a
 * cluster, the adoption (which reads the engine's own file of a process that is gone).
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type ClusterNode, parseClusterNodes } from '#engine/cluster-nodes.ts'
import type { ControlConnection } from '#engine/control-connection.ts'
import { ALL_SLOTS, slotText, withoutSlots } from '#model/slots.ts'
import type { ClusterView } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { NAMES, type ShardFolder } from './folder.ts'
import { CONTROL_TIMEOUT_MS } from './live-settings.ts'
import { Looks } from './looks.ts'
import type { Log } from './options.ts'
import type { Shard } from './shard.ts'

const BUSY_LOOK_MS = 50
const CALM_LOOK_MS = 1_000
/** So long after the last news it is looked at often. */
const BUSY_FOR_MS = 3_000
/** The answer grows with their number, and so does the number of those who are asked. */
const CALM_LOOK_PER_NODE_MS = 20

export function watchCluster(shard: Shard, connection: ControlConnection, log: Log): Disposable {
  let newsAt = performance.now()
  const pauseMs = () => {
    const view = shard.observed.cluster
    const isUnsettled = !view?.isServing || view.moving.length > 0
    if (isUnsettled || performance.now() - newsAt < BUSY_FOR_MS) return BUSY_LOOK_MS
    return Math.max(CALM_LOOK_MS, CALM_LOOK_PER_NODE_MS * view.peers.length)
  }
  const look = async () => {
    const before = shard.observed.cluster
    try {
      await lookAtCluster(shard, connection)
    } catch (error) {
      if (!looks.isOver)
        log.info({ err: error, shardUid: shard.uid }, 'the shard does not say how it stands with the others')
    }
    if (shard.observed.cluster !== before) newsAt = performance.now()
    looks.after(pauseMs())
  }
  // A thousand that are alone must cost nothing.
  const next = () => (shard.record?.spec?.cluster ? void look() : looks.after(CALM_LOOK_MS))
  const looks = new Looks(next)
  next()
  return looks
}

export async function lookAtCluster(shard: Shard, connection: ControlConnection): Promise<void> {
  const options = { timeoutMs: CONTROL_TIMEOUT_MS }
  const replies = connection.send(
    [
      ['CLUSTER', 'INFO'],
      ['CLUSTER', 'NODES'],
    ],
    options,
  )
  const [info, nodes] = await Promise.all(replies)
  if (!info || !nodes || shard.connection !== connection) return
  const view = viewOf(parseClusterNodes(textOf(nodes) ?? ''), /^cluster_state:ok/m.test(textOf(info) ?? ''))
  if (!view) return
  const role = view.follows === null ? 'primary' : 'replica'
  const isNews = JSON.stringify(view) !== JSON.stringify(shard.observed.cluster)
  shard.observe(isNews ? { cluster: view, role } : { role })
}

/** Null: there is no file, or none that an engine wrote in full. */
export async function readClusterFile(folder: ShardFolder): Promise<ClusterView | null> {
  const text = await readFile(join(folder.path, NAMES.cluster), 'utf8').catch(() => '')
  return viewOf(parseClusterNodes(text), false)
}

function viewOf(nodes: readonly ClusterNode[], isServing: boolean): ClusterView | null {
  const own = nodes.find(({ isMyself }) => isMyself)
  if (!own) return null
  const owners = nodes.filter(({ slots }) => slots.length > 0)
  const map = owners.map(({ id, slots }) => `${id} ${slotText(slots)}`).sort()
  return {
    nodeId: own.id,
    isServing,
    slots: own.slots,
    unowned: withoutSlots(
      ALL_SLOTS,
      owners.flatMap(({ slots }) => slots),
    ),
    moving: own.moving,
    follows: own.isPrimary ? null : own.follows,
    peers: nodes.flatMap(({ id, isKnown }) => (isKnown ? id : [])).sort(),
    mapDigest: createHash('sha256').update(map.join('\n')).digest('hex'),
  }
}
