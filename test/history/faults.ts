/**
 * What befalls a database in a history run: each fault is an act on real processes or a request of the API, drawn by
 * chance. A fault returns when it has happened, not when it is healed: the next may come in the middle.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { textOf } from '#resp/value.ts'
import { type Instance, killNow } from '../support/instance.ts'
import { shardsOf } from '../support/replicas.ts'
import { until } from '../support/wait.ts'
import { Caller } from './caller.ts'

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
  readonly port: number
  readonly faults: readonly Fault[]
  /** It keeps nothing on disk: at any time one of its processes must have everything. */
  readonly isFragile: boolean
}

/** From 0 to 1. */
export type Chance = () => number

const STOPPED_MS = { least: 50, most: 4_000 }
const AWAY_MS = { least: 0, most: 2_000 }
const IN_STEP_MS = 60_000

export async function befall(instance: Instance, target: Target, fault: Fault, chance: Chance) {
  const { uid } = target
  const within = ({ least, most }: { least: number; most: number }) => least + (most - least) * chance()
  switch (fault) {
    case 'kill-primary':
    case 'kill-replica':
      for (const pid of await victims(instance, target, fault === 'kill-primary' ? 'master' : 'slave', chance))
        killNow(pid)
      return
    case 'kill-both':
      for (const role of ['master', 'slave'] as const) for (const pid of await pidsOf(instance, uid, role)) killNow(pid)
      return
    case 'stop-primary':
    case 'stop-replica':
      for (const pid of await victims(instance, target, fault === 'stop-primary' ? 'master' : 'slave', chance)) {
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

type Role = 'master' | 'slave'

async function victims(instance: Instance, target: Target, role: Role, chance: Chance): Promise<number[]> {
  if (!target.isFragile) return await pidsOf(instance, target.uid, role, chance)
  return [(await pairInStep(instance, target))[role]]
}

/**
 * The two processes of a database once the replica has everything, as the engines say themselves: what the API tells is
 * as old as the answer of the slowest shard, and whoever ends the second copy on its word loses what nobody else has.
 */
async function pairInStep(instance: Instance, { uid, port }: Target): Promise<Record<Role, number>> {
  const uids = (await shardsOf(instance, uid)).map((shard) => Number(shard.uid))
  return await until(
    `database ${uid} to have everything twice`,
    async () => {
      const engines = (await instance.engines()).filter(({ shardUid }) => uids.includes(shardUid))
      const pids = engines.map(({ pid }) => pid)
      const caller = new Caller(port)
      try {
        const [info, , acknowledged] = await caller.call([
          ['INFO', 'server'],
          ['SET', 'fault', 'next'],
          ['WAIT', '1', '1000'],
        ])
        const master = Number(/process_id:(\d+)/.exec((info && textOf(info)) ?? '')?.[1])
        const slave = pids.find((pid) => pid !== master)
        const isPair = pids.length === 2 && pids.includes(master)
        const isTwice = acknowledged?.kind === 'integer' && Number(acknowledged.value) === 1
        return isPair && isTwice && slave !== undefined ? { master, slave } : undefined
      } finally {
        caller.close()
      }
    },
    IN_STEP_MS,
  )
}

/** With `chance` one of them. */
async function pidsOf(instance: Instance, uid: number, role: Role, chance?: Chance): Promise<number[]> {
  const all = (await shardsOf(instance, uid)).filter((shard) => shard.role === role)
  const one = chance && drawn(all, chance)
  const uids = (one ? [one] : all).map((shard) => Number(shard.uid))
  return (await instance.engines()).filter(({ shardUid }) => uids.includes(shardUid)).map(({ pid }) => pid)
}

export function drawn<T>(all: readonly T[], chance: Chance): T | undefined {
  return all[Math.floor(chance() * all.length)]
}
