/**
 * What one process lacks to be what its spec says, and of a replica also what its primary lacks before. Pure.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { SlotRange } from '#model/slots.ts'
import { REPLICA_ATTEMPTS } from './limits.ts'
import type { Need } from './need.ts'
import { needsRestart } from './needs-restart.ts'
import { isDigestOf } from './spec-digest.ts'
import type { ClusterView, ObservedShard, ShardSpec, Step } from './step.ts'

export function seenOf(observed: readonly ObservedShard[], uid: number): ObservedShard | undefined {
  return observed.find((shard) => shard.uid === uid)
}

/**
 * A replica has nobody to follow before its primary serves. Its first copy belongs to the change that asked for it; at
 * any other time applications lack nothing while it catches up.
 */
export function replicaNeed(
  need: Need,
  spec: ShardSpec,
  seen: ObservedShard | undefined,
  primary: ObservedShard | undefined,
  { actionUid }: DatabaseDocument,
): Need {
  if (need.kind === 'step' && need.step.kind === 'flush-shard' && (primary?.flushes ?? 0) < spec.flushes)
    return { kind: 'none' }
  if (need.kind === 'wait') return actionUid ? need : { kind: 'none' }
  if (need.kind === 'none' && actionUid && (seen?.completeTerm !== spec.role.term || !primary?.onlineReplicas))
    return { kind: 'wait', reason: `waiting for shard ${spec.uid} to copy all data` }
  return need
}

/** A replica that does not come up with what is in its folder copies everything anew, as long as there is somebody who has it. */
export function unreadable(
  need: Need,
  seen: ObservedShard | undefined,
  primary: ObservedShard | undefined,
  failures: number,
): Need {
  if (need.kind !== 'step' || need.step.kind !== 'start-shard' || seen?.state !== 'exited') return need
  if (failures < REPLICA_ATTEMPTS || primary?.state !== 'running' || primary.role !== 'primary') return need
  return { ...need, reason: `${need.reason}; it copies everything anew`, step: { ...need.step, discardsData: true } }
}

type StepWithSpec = Exclude<Extract<Step, { spec: ShardSpec }>['kind'], 'promote-shard'>

/** Of one of several shards: how it stands with the others when it is made primary. */
export type Standing = {
  /** It was made a replica by the others. */
  readonly isDeposed: boolean
  readonly moving: ClusterView['moving']
  /** The slots that others have. */
  readonly elsewhere: readonly SlotRange[]
}

export function shardNeed(spec: ShardSpec, seen: ObservedShard | undefined, standing: () => Standing): Need {
  const step = (kind: StepWithSpec, reason: string): Need => ({ kind: 'step', reason, step: { kind, spec } })
  switch (seen?.state) {
    case undefined:
    case 'stopped':
      return step('start-shard', `starting shard ${spec.uid}`)
    case 'exited':
      return step(
        'start-shard',
        `starting shard ${spec.uid} again${seen?.lastWords ? `; it ended with: ${seen.lastWords}` : ''}`,
      )
    case 'starting':
      return { kind: 'wait', reason: `waiting for shard ${spec.uid} to answer` }
    case 'loading': {
      const percent = seen?.loadingPercent == null ? '' : ` (${Math.floor(seen.loadingPercent)} % done)`
      return { kind: 'wait', reason: `waiting for shard ${spec.uid} to read its data${percent}` }
    }
    case 'running':
      break
  }
  if (spec.role.kind === 'primary' && seen?.role === 'replica') {
    const { isDeposed, moving, elsewhere } = standing()
    if (isDeposed) return { kind: 'wait', reason: `waiting to hear who leads instead of shard ${spec.uid}` }
    const reason = `making shard ${spec.uid} the primary`
    return { kind: 'step', reason, step: { kind: 'promote-shard', spec, moving, elsewhere } }
  }
  if (!isDigestOf(spec, seen.specDigest, seen.spec)) {
    const restart = seen.spec && needsRestart(seen.spec, spec)
    if (restart) return step('restart-shard', `restarting shard ${spec.uid}: ${restart}`)
    return step('configure-shard', `configuring shard ${spec.uid}`)
  }
  if (seen.flushes < spec.flushes) return step('flush-shard', `removing every key of shard ${spec.uid}`)
  return { kind: 'none' }
}
