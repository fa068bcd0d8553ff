/**
 * What befalls a database in a history run: each fault is an act on real processes or a request of the API, drawn by
 * chance. A fault returns when it has happened, not when it is healed: the next may come in the middle.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Instance, killNow } from '../support/instance.ts'
import { inStep, shardsOf } from '../support/replicas.ts'

export type Fault =
  | 'kill-primary'
  | 'kill-replica'
  | 'kill-both'
  | 'stop-primary'
  | 'stop-replica'
  | 'hand-over'
  | 'toggle-replication'
  | 'reshard'
  | 'kill-proxy'
  | 'kill-control-plane'

export type Target = {
  readonly uid: number
  readonly faults: readonly Fault[]
  /** It keeps nothing on disk: at any time one of its processes must have everything. */
  readonly isFragile: boolean
}

/** From 0 to 1. */
export type Chance = () => number

const STOPPED_MS = { least: 50, most: 4_000 }
const AWAY_MS = { least: 0, most: 2_000 }

export async function befall(instance: Instance, { uid, isFragile }: Target, fault: Fault, chance: Chance) {
  const within = ({ least, most }: { least: number; most: number }) => least + (most - least) * chance()
  if (isFragile && /^(?:kill|stop)-(?:primary|replica)$/.test(fault)) await inStep(instance, uid, 1, 60_000)
  switch (fault) {
    case 'kill-primary':
    case 'kill-replica':
      for (const pid of await pidsOf(instance, uid, fault === 'kill-primary' ? 'master' : 'slave', chance)) killNow(pid)
      return
    case 'kill-both':
      for (const role of ['master', 'slave']) for (const pid of await pidsOf(instance, uid, role)) killNow(pid)
      return
    case 'stop-primary':
    case 'stop-replica':
      for (const pid of await pidsOf(instance, uid, fault === 'stop-primary' ? 'master' : 'slave', chance)) {
        killNow(pid, 'SIGSTOP')
        await delay(within(STOPPED_MS))
        killNow(pid, 'SIGCONT')
      }
      return
    case 'hand-over': {
      const primary = drawn(
        (await shardsOf(instance, uid)).filter(({ role }) => role === 'master'),
        chance,
      )
      if (primary) await instance.api.post(`/v1/shards/${primary.uid}/actions/failover`, {}).catch(() => undefined)
      return
    }
    case 'toggle-replication': {
      const { json } = await instance.api.get(`/v1/bdbs/${uid}`)
      await instance.api.put(`/v1/bdbs/${uid}`, { replication: !json.replication }).catch(() => undefined)
      return
    }
    case 'reshard': {
      const { json } = await instance.api.get(`/v1/bdbs/${uid}`)
      const count = 1 + ((json.shards_count + Math.floor(chance() * 3)) % 4)
      await instance.api.put(`/v1/bdbs/${uid}`, { shards_count: count }).catch(() => undefined)
      return
    }
    case 'kill-proxy':
      for (const pid of await instance.proxies()) killNow(pid)
      return
    case 'kill-control-plane':
      await instance.kill()
      await delay(within(AWAY_MS))
      await instance.start()
      return
    default:
      fault satisfies never
  }
}

/** With `chance` one of them. */
async function pidsOf(instance: Instance, uid: number, role: string, chance?: Chance): Promise<number[]> {
  const all = (await shardsOf(instance, uid)).filter((shard) => shard.role === role)
  const one = chance && drawn(all, chance)
  const uids = (one ? [one] : all).map((shard) => Number(shard.uid))
  return (await instance.engines()).filter(({ shardUid }) => uids.includes(shardUid)).map(({ pid }) => pid)
}

export function drawn<T>(all: readonly T[], chance: Chance): T | undefined {
  return all[Math.floor(chance() * all.length)]
}
