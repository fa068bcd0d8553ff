/**
 * Who follows whom: makes a process primary or replica, and watches the link of a replica to its primary. Callers: the
 * steps and the supervision. The order comes from the planner with its term; what is older than the last one that was
 * carried out here is refused here, whoever sends it.
 */
import type { ControlConnection } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { StepFailed } from '#plan/agent.ts'
import type { ShardSpec } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { REPLICATION_USER, replicationPassword } from './accounts.ts'
import { lookAtCluster } from './cluster-view.ts'
import { CONTROL_TIMEOUT_MS } from './live-settings.ts'
import { Looks } from './looks.ts'
import type { Log } from './options.ts'
import type { Shard } from './shard.ts'

/** How often a replica is asked: while it is not in step somebody waits for it. */
const LOOK_MS = { linked: 250, unlinked: 20, alone: 1_000 } as const

/** Throws for an order that a newer one has overtaken. */
export function checkTerm({ record, uid }: Shard, { role }: ShardSpec): void {
  const known = record?.spec?.role.term ?? 0
  if (role.term >= known) return
  throw new StepFailed(
    'engine',
    `shard ${uid} has been given a role in term ${known}; this order is of term ${role.term}`,
  )
}

type Subject = { readonly shard: Shard; readonly connection: ControlConnection; readonly controlSecret: Buffer }

/** Follows whom the spec says, or nobody. */
export async function bringRole({ shard, connection, controlSecret }: Subject, spec: ShardSpec): Promise<void> {
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS })
  const { role } = spec
  if (spec.cluster) return await bringClusterRole({ shard, connection, controlSecret }, spec)
  const following = await replicationInfo(connection)
  if (role.kind === 'primary') {
    if (following.role === 'slave') await call('REPLICAOF', 'NO', 'ONE')
    await shard.keepChanged({ completeTerm: role.term })
    shard.observe({ role: 'primary', isLinked: false, linkLostAt: null })
    return
  }
  const password = replicationPassword(controlSecret, spec.databaseUid)
  await call('CONFIG', 'SET', 'masteruser', REPLICATION_USER, 'masterauth', password)
  const { host, port } = role.of
  const before = shard.record?.spec
  const isOtherwise = before?.role.kind === 'replica' && (before.tls === null) !== (spec.tls === null)
  const isRight = following.role === 'slave' && following.master_host === host && following.master_port === String(port)
  // Said again it would begin anew: the link of a replica that follows the right one is left alone.
  if (!isRight) await call('REPLICAOF', host, String(port))
  // The link stays as it was made until somebody cuts it; what was missed meanwhile is all that is sent again.
  else if (isOtherwise) await call('CLIENT', 'KILL', 'TYPE', 'master')
  shard.observe({ role: 'replica' })
}

/** Of several shards the engines agree themselves on who follows whom; each must be able to follow at any time. */
async function bringClusterRole({ shard, connection, controlSecret }: Subject, spec: ShardSpec): Promise<void> {
  const password = replicationPassword(controlSecret, spec.databaseUid)
  const words = ['CONFIG', 'SET', 'masteruser', REPLICATION_USER, 'masterauth', password]
  await connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS })
  await lookAtCluster(shard, connection)
  if (spec.role.kind === 'primary' && shard.observed.role === 'primary')
    await shard.keepChanged({ completeTerm: spec.role.term })
}

export async function replicationInfo(connection: ControlConnection): Promise<Readonly<Record<string, string>>> {
  const reply = await connection.call(['INFO', 'replication'], { timeoutMs: CONTROL_TIMEOUT_MS })
  return parseInfo(textOf(reply) ?? '')
}

/** Tells how replication stands, for as long as the connection lasts. Who is alone is not asked. */
export function watchLink(shard: Shard, connection: ControlConnection, log: Log): Disposable {
  const proof: Proof = { offset: null }
  const pauseMs = () => {
    if (!hasPartner(shard)) return LOOK_MS.alone
    return shard.observed.isLinked || shard.observed.onlineReplicas > 0 ? LOOK_MS.linked : LOOK_MS.unlinked
  }
  const look = async () => {
    try {
      await observeLink(shard, connection, proof)
    } catch (error) {
      if (!looks.isOver) log.info({ err: error, shardUid: shard.uid }, 'the replica does not say how it stands')
    }
    looks.after(pauseMs())
  }
  const looks = new Looks(() => (hasPartner(shard) ? void look() : looks.after(pauseMs())))
  looks.after(pauseMs())
  return looks
}

function hasPartner({ record }: Shard): boolean {
  const role = record?.spec?.role
  return role?.kind === 'replica' || role?.isReplicated === true
}

/** How far a replica must have read to be sure that it is sent every write; null: nothing has been sent for that yet. */
type Proof = { offset: number | null }

async function observeLink(shard: Shard, connection: ControlConnection, proof: Proof): Promise<void> {
  const info = await replicationInfo(connection)
  const role = shard.record?.spec?.role
  if (shard.connection !== connection) return
  if (info.role === 'master' && role?.kind === 'primary') {
    shard.primaryOffset = Number(info.master_repl_offset)
    const followers = await provenReplicas(connection, info, proof)
    if (shard.connection === connection) shard.observe({ onlineReplicas: followers })
    return
  }
  if (info.role !== 'slave' || role?.kind !== 'replica') return
  const isLinked = info.master_link_status === 'up'
  const lostSeconds = Number(info.master_link_down_since_seconds ?? -1)
  // The engine only speaks of a link that it has lost when it had all data before.
  const wasInStep = isLinked || lostSeconds >= 0
  if (wasInStep && shard.record?.completeTerm !== role.term && shard.record?.specDigest !== null)
    await shard.keepChanged({ completeTerm: role.term })
  const lostAt = lostSeconds < 0 ? null : shard.now() - lostSeconds * 1000
  const wasLinked = shard.observed.isLinked
  const linkLostAt = isLinked ? null : wasLinked ? shard.now() : (shard.observed.linkLostAt ?? lostAt)
  shard.observe({ role: 'replica', isLinked, linkLostAt, onlineReplicas: 0 })
}

/** More than there can be: the request for their acknowledgement is then always sent. */
const ALL_REPLICAS = '1000000'

/**
 * After a full copy a primary calls a replica online up to a second before it sends it anything. So something is sent,
 * a request to acknowledge, and a replica counts once it has said that it has read it.
 */
async function provenReplicas(
  connection: ControlConnection,
  info: Readonly<Record<string, string>>,
  proof: Proof,
): Promise<number> {
  if (!Object.values(info).some((value) => value.includes('state=online'))) {
    proof.offset = null
    return 0
  }
  if (proof.offset === null) {
    await connection.call(['WAIT', ALL_REPLICAS, '1'], { timeoutMs: CONTROL_TIMEOUT_MS })
    proof.offset = Number((await replicationInfo(connection)).master_repl_offset)
    return 0
  }
  const wanted = proof.offset
  return Object.entries(info).filter(([name, value]) => {
    const [, offset] = /state=online,offset=(\d+)/.exec(value) ?? []
    return /^slave\d+$/.test(name) && Number(offset) >= wanted
  }).length
}
