/**
 * A thousand databases on one machine beside ten: what a change costs, and what the control plane costs at rest.
 */
import { readFile } from 'node:fs/promises'
import type { Instance } from '../test/support/instance.ts'
import { until } from '../test/support/wait.ts'
import type { BenchRow } from './row.ts'
import { median, round } from './statistics.ts'
import { timeRenames } from './write-latency.ts'

const FEW = 10
const MANY = 1_000
const AT_ONCE = 16
const WRITES = 200
const REST_MS = 10_000
const TICKS_PER_SECOND = 100
const PAGE_BYTES = 4_096

export async function benchManyDatabases(instance: Instance): Promise<BenchRow> {
  await createUpTo(instance, FEW)
  const few = median(await timeRenames(instance, 1, WRITES))
  await createUpTo(instance, MANY)
  const many = median(await timeRenames(instance, 1, WRITES))
  const before = await cpuSeconds(instance.pid)
  await new Promise((resolve) => setTimeout(resolve, REST_MS))
  const cpu = (await cpuSeconds(instance.pid)) - before
  const share = cpu / (REST_MS / 1000)
  const megabytes = (await residentBytes(instance.pid)) / 1e6
  const ratio = many / few
  return {
    what: `PUT a name among ${MANY} databases`,
    ours: `${round(many)} ms; manager ${Math.round(megabytes)} MB, ${round(share * 100, 1)} % of a core at rest`,
    beside: `among ${FEW} databases`,
    theirs: `${round(few)} ms`,
    ratio: round(ratio),
    aim: '≤ 1.5; ≤ 300 MB; ≤ 15 %',
    met: ratio <= 1.5 && megabytes <= 300 && share <= 0.15,
    figures: { manyMs: many, fewMs: few, ratio, managerMegabytes: megabytes, coreShareAtRest: share },
  }
}

export async function createUpTo(instance: Instance, wanted: number): Promise<void> {
  const { json } = await instance.api.get('/v1/bdbs?fields=uid')
  let next = json.length
  const worker = async () => {
    while (next < wanted) {
      const name = `many-${next++}`
      const { status, text } = await instance.api.post('/v1/bdbs', { name, memory_size: 1_000_000 })
      if (status !== 200) throw new Error(`create answered ${text}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  await until(
    `${wanted} active databases`,
    async () => {
      const { json: all } = await instance.api.get('/v1/bdbs?fields=status')
      return all.length >= wanted && all.every((database: { status: string }) => database.status === 'active')
    },
    300_000,
  )
}

export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

export async function residentBytes(pid: number): Promise<number> {
  return Number((await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')[1]) * PAGE_BYTES
}
