/**
 * A history run: databases of every kind under load while faults befall them, then judged. Callers: a short one is a test,
 * a long one is started by hand (`node bench/history.ts 600`). The seed draws the same faults again; when they come is the
 * machine's own.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Instance } from '../support/instance.ts'
import { type Receipt, receiptsOf } from '../support/replicas.ts'
import { until } from '../support/wait.ts'
import { type Violation, violationsOf } from './check.ts'
import { befall, type Chance, drawn, type Fault, type Target } from './faults.ts'
import { Clients, type Workload } from './workload.ts'

export type RunOptions = { readonly seconds: number; readonly seed: number; readonly tell: (line: string) => void }

export type Outcome = {
  readonly name: string
  readonly operations: ReturnType<Clients['outcomes']>
  readonly failovers: number
  /** The failovers that say so themselves. */
  readonly mayHaveLost: readonly Receipt[]
  readonly longestOutageMs: number
  readonly errors: Readonly<Record<string, number>>
  readonly violations: readonly Violation[]
  /** Why it did not come back by itself; empty: it did. */
  readonly stuck: string
}

export type RunReport = {
  readonly faults: Readonly<Record<string, number>>
  readonly databases: readonly Outcome[]
}

const ALWAYS = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }
const PROCESS_FAULTS: readonly Fault[] = ['kill-primary', 'kill-replica', 'stop-primary', 'stop-replica', 'hand-over']

type Kind = {
  readonly name: string
  readonly body: object
  readonly keptWhen: Workload['keptWhen']
  readonly faults: readonly Fault[]
  readonly isFragile: boolean
}
const KINDS: readonly Kind[] = [
  {
    name: 'alone on disk',
    body: ALWAYS,
    keptWhen: 'on-disk',
    faults: ['kill-primary', 'stop-primary'],
    isFragile: false,
  },
  {
    name: 'replicated in memory',
    body: { replication: true },
    keptWhen: 'on-replica',
    faults: PROCESS_FAULTS,
    isFragile: true,
  },
  {
    name: 'replicated on disk',
    body: { ...ALWAYS, replication: true },
    keptWhen: 'on-replica',
    faults: [...PROCESS_FAULTS, 'kill-both', 'toggle-replication'],
    isFragile: false,
  },
  {
    name: 'sharded on disk',
    body: { ...ALWAYS, sharding: true, shards_count: 2 },
    keptWhen: 'on-disk',
    faults: ['kill-primary', 'stop-primary', 'reshard', 'kill-proxy'],
    isFragile: false,
  },
  {
    name: 'sharded and replicated on disk',
    body: { ...ALWAYS, sharding: true, shards_count: 2, replication: true },
    keptWhen: 'on-replica',
    faults: [...PROCESS_FAULTS, 'kill-both', 'reshard', 'kill-proxy'],
    isFragile: false,
  },
]

const CLIENTS = 3
const PAUSE_MS = { least: 100, most: 1_500 }
/** One fault in so many befalls the control plane and not a database. */
const CONTROL_PLANE_SHARE = 12
/** After the last fault everything must be well again within this. */
const HEALING_MS = 90_000

type Subject = { readonly kind: Kind; readonly target: Target; readonly clients: Clients }

export async function runHistory(instance: Instance, { seconds, seed, tell }: RunOptions): Promise<RunReport> {
  const chance = mulberry(seed)
  const subjects: Subject[] = []
  try {
    for (const kind of KINDS) subjects.push(await subjectOf(instance, kind))
    const faults = await befallAll(instance, subjects, { seconds, chance, tell })
    // Judging takes a while in which no client gets a word in: it begins when all have ended.
    const states = await Promise.all(subjects.map((subject) => ended(instance, subject)))
    const databases: Outcome[] = []
    for (const [index, subject] of subjects.entries())
      databases.push(await judged(instance, subject, states[index] ?? ''))
    return { faults, databases }
  } finally {
    for (const { clients } of subjects) clients.stop()
  }
}

async function subjectOf(instance: Instance, kind: Kind): Promise<Subject> {
  const { uid, endpoints } = await instance.create({ memory_size: 200_000_000, ...kind.body })
  const target = { uid, port: endpoints[0].port, faults: kind.faults, isFragile: kind.isFragile }
  const clients = new Clients({ port: target.port, keptWhen: kind.keptWhen, clients: CLIENTS })
  return { kind, target, clients }
}

async function befallAll(
  instance: Instance,
  subjects: readonly Subject[],
  { seconds, chance, tell }: { seconds: number; chance: Chance; tell: RunOptions['tell'] },
): Promise<Record<string, number>> {
  const faults: Record<string, number> = {}
  const deadline = performance.now() + seconds * 1000
  while (performance.now() < deadline) {
    const subject = drawn(subjects, chance)
    const isForAll = chance() * CONTROL_PLANE_SHARE < 1
    const fault = isForAll ? 'kill-control-plane' : subject && drawn(subject.target.faults, chance)
    if (!subject || !fault) break
    tell(isForAll ? fault : `${fault}: ${subject.kind.name}`)
    try {
      await befall(instance, subject.target, fault, chance)
      faults[fault] = (faults[fault] ?? 0) + 1
    } catch (error) {
      // Without a control plane every fault after it would fail as well, and nothing be tried.
      if (isForAll) throw error
      tell(`it could not be done: ${error instanceof Error ? error.message : error}`)
    }
    await delay(PAUSE_MS.least + (PAUSE_MS.most - PAUSE_MS.least) * chance())
  }
  return faults
}

/** Why it is stuck; empty: it is not. */
async function ended(instance: Instance, { target, clients }: Subject): Promise<string> {
  const { uid } = target
  const stuck = await replicated(instance, target)
    .then(() => healed(instance, uid, clients))
    .then(
      () => '',
      (error: Error) => error.message,
    )
  const unread = await clients.end(HEALING_MS).then(
    () => '',
    (error: Error) => error.message,
  )
  return stuck || unread
}

async function judged(
  instance: Instance,
  { kind, target: { uid }, clients }: Subject,
  stuck: string,
): Promise<Outcome> {
  const receipts = await receiptsOf(instance, uid)
  return {
    name: kind.name,
    operations: clients.outcomes(),
    failovers: receipts.length,
    mayHaveLost: receipts.filter((receipt) => receipt.may_have_lost_writes),
    longestOutageMs: Math.round(clients.longestOutageMs),
    errors: Object.fromEntries(clients.errors),
    violations: violationsOf(clients.history),
    stuck,
  }
}

/** Replication may have been turned off last, and without a replica no write is kept. */
async function replicated({ api }: Instance, { uid, faults }: Target): Promise<void> {
  if (!faults.includes('toggle-replication')) return
  const isTaken = async () => (await api.put(`/v1/bdbs/${uid}`, { replication: true })).status === 200
  await until(`database ${uid} to be replicated`, isTaken, HEALING_MS)
}

/** Active, and writes are kept again. */
async function healed({ api }: Instance, uid: number, clients: Clients): Promise<void> {
  const active = async () => {
    const { json } = await api.get(`/v1/bdbs/${uid}`)
    return json.status === 'active' || Promise.reject(new Error(json.status))
  }
  await until(`database ${uid} to be active`, active, HEALING_MS)
  const before = clients.kept
  await until(`a write of database ${uid} to be kept`, () => clients.kept > before + 20 || undefined, HEALING_MS)
}

/** A small generator of numbers from 0 to 1 that a seed determines. */
function mulberry(seed: number): Chance {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
