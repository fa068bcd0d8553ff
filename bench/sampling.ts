/**
 * Statistics of a thousand shards: what reading them once a second and telling Prometheus of them costs, what the API feels
 * of it, and what remembering them for thirty days takes. The engines are real, and the thirty days are fed by hand to what
 * keeps them.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { COLUMNS } from '../src/model/statistics/metrics.ts'
import type { Measured } from '../src/model/statistics/objects.ts'
import { Sample } from '../src/model/statistics/sample.ts'
import { History } from '../src/observe/history.ts'
import { Recorder } from '../src/observe/recorder.ts'
import type { Instance } from '../test/support/instance.ts'
import { cpuSeconds, createUpTo, residentBytes } from './many-databases.ts'
import type { BenchRow } from './row.ts'
import { median, quantile, round } from './statistics.ts'

const du = (folder: string) => promisify(execFile)('du', ['-sb', folder])
const FEW = 10
const SHARDS = 1_000
const REST_MS = 20_000
const READS_MS = 30_000
const READ_PAUSE_MS = 10
const SCRAPE_EVERY_MS = 15_000
const SCRAPES = 7
const SCRAPE_LIMIT_MS = 250
const DAYS = 30
/** What a recorder takes does not depend on how often it was fed; more often would only take longer. */
const STEP_MS = 3_600_000

export async function benchSampling(instance: Instance): Promise<readonly BenchRow[]> {
  await createUpTo(instance, FEW)
  await delay(REST_MS)
  const idleMs = await p99OfReads(instance)
  await createUpTo(instance, SHARDS)
  await delay(REST_MS)
  const before = await cpuSeconds(instance.pid)
  await delay(REST_MS)
  const share = (await cpuSeconds(instance.pid)) - before
  const coreShare = share / (REST_MS / 1_000)
  const busyMs = await p99OfReads(instance)
  const managerMegabytes = (await residentBytes(instance.pid)) / 1e6
  const { megabytes: historyMegabytes, diskMegabytes } = await rememberDays()
  const ratio = busyMs / idleMs
  const sampling = {
    what: `statistics of ${SHARDS} shards, once a second`,
    ours: `${round(coreShare * 100, 1)} % of a core, all that the manager does at rest included; ${Math.round(managerMegabytes)} MB, and ${Math.round(historyMegabytes)} MB more after ${DAYS} days (${Math.round(diskMegabytes)} MB on disk); p99 of a GET while two versions are scraped every 15 s ${round(busyMs)} ms`,
    beside: `among ${FEW} shards`,
    theirs: `p99 of a GET ${round(idleMs)} ms`,
    ratio: round(ratio),
    aim: '≤ 2; ≤ 10 %; ≤ 300 MB together',
    met: ratio <= 2 && coreShare <= 0.1 && managerMegabytes + historyMegabytes <= 300,
    figures: { coreShare, idleMs, busyMs, ratio, managerMegabytes, historyMegabytes, diskMegabytes },
  }
  return [sampling, await scrapeRow(instance, '/v2'), await scrapeRow(instance, '/metrics')]
}

async function scrapeRow(instance: Instance, path: string): Promise<BenchRow> {
  const tookMs: number[] = []
  let bytes = 0
  for (let count = 0; count < SCRAPES; count++) {
    // What was made for one scrape is not what another gets.
    await delay(2_000)
    const began = performance.now()
    bytes = await scrape(instance, path)
    tookMs.push(performance.now() - began)
  }
  const middleMs = median(tookMs)
  const slowestMs = Math.max(...tookMs)
  return {
    what: `a scrape of ${path}, ${SHARDS} databases`,
    ours: `${round(middleMs)} ms, the slowest ${round(slowestMs)} ms, ${round(bytes / 1e6)} MB`,
    beside: 'the limit',
    theirs: `${SCRAPE_LIMIT_MS} ms`,
    ratio: round(middleMs / SCRAPE_LIMIT_MS),
    aim: `≤ ${SCRAPE_LIMIT_MS} ms`,
    met: middleMs <= SCRAPE_LIMIT_MS,
    figures: { middleMs, slowestMs, bytes },
  }
}

/** One after another, so that nothing but the manager makes them late; scraped all the while as Prometheus would. */
async function p99OfReads(instance: Instance): Promise<number> {
  const tookMs: number[] = []
  const endsAt = performance.now() + READS_MS
  const scraping = (async () => {
    while (performance.now() < endsAt - SCRAPE_EVERY_MS / 2) {
      await Promise.all([scrape(instance, '/v2'), scrape(instance, '/metrics')])
      await delay(SCRAPE_EVERY_MS)
    }
  })()
  while (performance.now() < endsAt) {
    const began = performance.now()
    await instance.api.get('/v1/bdbs/1')
    tookMs.push(performance.now() - began)
    await delay(READ_PAUSE_MS)
  }
  await scraping
  return quantile(tookMs, 0.99)
}

/** Resolves to the bytes of the answer. */
function scrape({ ports }: Instance, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { host: '127.0.0.1', port: ports.metrics, path, agent: false, rejectUnauthorized: false },
      (response) => {
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
        })
        response.on('end', () =>
          response.statusCode === 200 ? resolve(bytes) : reject(new Error(`${path} answered ${response.statusCode}`)),
        )
      },
    )
    sent.on('error', reject)
    sent.end()
  })
}

/** What a recorder takes that has seen as many objects as belong to so many shards for so many days. */
async function rememberDays(): Promise<{ megabytes: number; diskMegabytes: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'history-'))
  try {
    const startMs = Date.UTC(2026, 0, 1)
    let nowMs = startMs
    const recorder = new Recorder({
      history: new History({ folder, log: { warn: () => undefined } }),
      now: () => nowMs,
    })
    await recorder.restore()
    const before = bytesInUse()
    const objects = Array.from({ length: SHARDS }, (_, index): readonly Measured[] => [
      { kind: 'shard', uid: index + 1 },
      { kind: 'database', uid: index + 1 },
      { kind: 'endpoint', uid: index + 1, nodeUid: 1 },
    ]).flat()
    for (; nowMs < startMs + DAYS * 86_400_000; nowMs += STEP_MS) {
      for (const [index, object] of objects.entries()) {
        // Numbers as of a database that is used: nearly all of them differ, and few are whole.
        const values = Float64Array.from(COLUMNS[object.kind].names, (_, column) => (nowMs % 977) * column + index / 3)
        recorder.take(object, new Sample(object.kind, nowMs, nowMs + 1_000, values))
      }
      await recorder.settle()
    }
    const megabytes = (bytesInUse() - before) / 1e6
    if (recorder.latest({ kind: 'shard', uid: 1 })) throw new Error('the last sample is an hour old')
    const { stdout } = await du(folder)
    return { megabytes, diskMegabytes: Number(stdout.split('\t')[0]) / 1e6 }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Without what only waits to be collected: a day is fed in a moment, and leaves more of that than a day does. */
function bytesInUse(): number {
  setFlagsFromString('--expose_gc')
  runInNewContext('gc')()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
