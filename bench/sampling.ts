/**
 * Statistics of a thousand shards: what reading them once a second and telling Prometheus of them costs, what the API feels
 * of it, and what it takes to remember them for thirty days. The engines are real; the thirty days are fed by hand to what
 * keeps them, into the folder of the manager while that is down.
 *
 * A thousand engines that only wait wake up ten thousand times a second, and make every program on a machine of few cores
 * late. So a bare server that sends the same bytes is asked in turns with ours, and told beside it: how late it is, too, is
 * the machine's, and a little of what sampling and scraping take from it. What counts is ours as it is.
 */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { COLUMNS } from '../src/model/statistics/metrics.ts'
import type { Measured } from '../src/model/statistics/objects.ts'
import { Sample } from '../src/model/statistics/sample.ts'
import { History } from '../src/observe/history.ts'
import { Recorder } from '../src/observe/recorder.ts'
import { ApiClient } from '../test/support/api.ts'
import type { Instance } from '../test/support/instance.ts'
import { answerOf, startBareServer } from './bare.ts'
import { shareOf } from './cpu-profile.ts'
import { cpuSeconds, createUpTo, residentBytes } from './many-databases.ts'
import type { BenchRow } from './row.ts'
import type { Scraped } from './scrape-thread.ts'
import { median, quantile, round } from './statistics.ts'

const du = (folder: string) => promisify(execFile)('du', ['-sb', folder])
const FEW = 10
const VERSIONS = ['/v2', '/metrics'] as const
const SHARDS = 1_000
const REST_MS = 20_000
/** Each database is looked at once a minute: what is measured is a whole round of it, and not the first. */
const ADOPTION_MS = 70_000
const ROUND_MS = 60_000
const READS_MS = 60_000
const READ_PAUSE_MS = 10
const SCRAPE_EVERY_MS = 15_000
const SCRAPES = 7
const SCRAPE_LIMIT_MS = 250
const MOST_OF_A_CORE = 0.1
/** Who reads shards, endpoints, nodes and the manager itself, makes samples of that, and keeps them. */
const SAMPLING = [
  ...['failures', 'history', 'kept-reading', 'recorder', 'sampler', 'segment', 'turns'].map(
    (it) => `src/observe/${it}.ts`,
  ),
  ...['node-reading', 'process-readings', 'process-size', 'shard-readings'].map((it) => `src/agent/${it}.ts`),
  ...['control-connection', 'info-reading', 'latency-histogram'].map((it) => `src/engine/${it}.ts`),
  'src/model/statistics/',
]
const DAYS = 30
/** What a recorder takes does not depend on how often it was fed; more often would only take longer. */
const STEP_MS = 3_600_000

export async function benchSampling(instance: Instance): Promise<readonly BenchRow[]> {
  const scrapers = VERSIONS.map(() => new Scraper(instance))
  try {
    return await measure(instance, scrapers)
  } finally {
    for (const scraper of scrapers) await scraper.close()
  }
}

async function measure(instance: Instance, scrapers: readonly Scraper[]): Promise<readonly BenchRow[]> {
  await createUpTo(instance, FEW)
  await delay(REST_MS)
  const idle = await p99OfReads(instance, scrapers)
  await createUpTo(instance, SHARDS)
  const { json: databases } = await instance.api.get('/v1/bdbs?fields=uid,shard_list')
  await instance.kill()
  const diskMegabytes = await rememberDays(join(instance.dataDir, 'statistics'), databases)
  await instance.start()
  await delay(ADOPTION_MS)
  const before = await cpuSeconds(instance.pid)
  await delay(ROUND_MS)
  const coreShare = ((await cpuSeconds(instance.pid)) - before) / (ROUND_MS / 1_000)
  const busy = await p99OfReads(instance, scrapers)
  const managerMegabytes = (await residentBytes(instance.pid)) / 1e6
  const ratio = busy.oursMs / idle.oursMs
  const bareRatio = busy.bareMs / idle.bareMs
  const statistics = {
    what: `statistics of ${SHARDS} shards, once a second`,
    ours: `${Math.round(managerMegabytes)} MB after ${DAYS} days (${Math.round(diskMegabytes)} MB on disk); p99 of a GET while two versions are scraped every 15 s ${round(busy.oursMs)} ms, of a bare server ${round(busy.bareMs)} ms`,
    beside: `among ${FEW} shards`,
    theirs: `p99 of a GET ${round(idle.oursMs)} ms, of a bare server ${round(idle.bareMs)} ms: ${round(ratio)} × and ${round(bareRatio)} ×`,
    ratio: round(ratio),
    aim: '≤ 2; ≤ 300 MB',
    met: ratio <= 2 && managerMegabytes <= 300,
    figures: {
      ...{ ratio, bareRatio, managerMegabytes, diskMegabytes },
      ...{ idleMs: idle.oursMs, bareIdleMs: idle.bareMs, busyMs: busy.oursMs, bareBusyMs: busy.bareMs },
    },
  }
  const rows: BenchRow[] = [statistics]
  for (const [index, scraper] of scrapers.entries()) rows.push(await scrapeRow(scraper, VERSIONS[index] ?? '/'))
  return [...rows, samplingRow(coreShare, await shareOf(SAMPLING, instance, ROUND_MS))]
}

/** `share`: of what the manager does at rest. */
function samplingRow(coreShare: number, share: number): BenchRow {
  return {
    what: `reading ${SHARDS} shards, and keeping what they say`,
    ours: `${round(coreShare * share * 100, 1)} % of a core`,
    beside: 'all that the manager does at rest',
    theirs: `${round(coreShare * 100, 1)} %`,
    ratio: round(share),
    aim: `≤ ${MOST_OF_A_CORE * 100} % of a core`,
    met: coreShare * share <= MOST_OF_A_CORE,
    figures: { coreShare, share },
  }
}

async function scrapeRow(scraper: Scraper, path: string): Promise<BenchRow> {
  const tookMs: number[] = []
  let packedBytes = 0
  for (let count = 0; count < SCRAPES; count++) {
    // What was made for one scrape is not what another gets.
    await delay(2_000)
    const scraped = await scraper.scrape(path)
    tookMs.push(scraped.tookMs)
    packedBytes = scraped.packedBytes
  }
  const middleMs = median(tookMs)
  const slowestMs = Math.max(...tookMs)
  return {
    what: `a scrape of ${path}, ${SHARDS} databases`,
    ours: `${round(middleMs)} ms, the slowest ${round(slowestMs)} ms, ${round(packedBytes / 1e6)} MB packed`,
    beside: 'the limit',
    theirs: `${SCRAPE_LIMIT_MS} ms`,
    ratio: round(middleMs / SCRAPE_LIMIT_MS),
    aim: `≤ ${SCRAPE_LIMIT_MS} ms`,
    met: middleMs <= SCRAPE_LIMIT_MS,
    figures: { middleMs, slowestMs, packedBytes },
  }
}

type Lateness = { readonly oursMs: number; readonly bareMs: number }

/** One after another, so that nothing but the server makes them late; scraped all the while as Prometheus would. */
async function p99OfReads(instance: Instance, scrapers: readonly Scraper[]): Promise<Lateness> {
  const path = '/v1/bdbs/1'
  const bare = await startBareServer(answerOf(await instance.api.get(path)))
  const bareClient = new ApiClient(bare.port, instance.api.auth)
  const [ours, theirs]: [number[], number[]] = [[], []]
  const endsAt = performance.now() + READS_MS
  const scraping = (async () => {
    while (performance.now() < endsAt - SCRAPE_EVERY_MS / 2) {
      // It spreads its targets over the time.
      for (const [index, scraper] of scrapers.entries()) {
        await scraper.scrape(VERSIONS[index] ?? '/')
        await delay(SCRAPE_EVERY_MS / scrapers.length)
      }
    }
  })()
  try {
    while (performance.now() < endsAt) {
      ours.push(await timed(() => instance.api.get(path)))
      await delay(READ_PAUSE_MS)
      theirs.push(await timed(() => bareClient.get(path)))
      await delay(READ_PAUSE_MS)
    }
    await scraping
  } finally {
    bareClient.close()
    bare.stop()
  }
  return { oursMs: quantile(ours, 0.99), bareMs: quantile(theirs, 0.99) }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

/** One scrape at a time. */
class Scraper {
  readonly #thread = new Worker(new URL('./scrape-thread.ts', import.meta.url))
  readonly #port: number

  constructor({ ports }: Instance) {
    this.#port = ports.metrics
  }

  async scrape(path: string): Promise<Scraped> {
    this.#thread.postMessage({ port: this.#port, path })
    const [scraped] = (await once(this.#thread, 'message')) as [Scraped]
    if (scraped.status !== 200) throw new Error(`${path} answered ${scraped.status}`)
    return scraped
  }

  async close(): Promise<void> {
    await this.#thread.terminate()
  }
}

type Listed = { readonly uid: number; readonly shard_list: readonly number[] }

/** Resolves to the megabytes that it takes on disk to have seen all that belongs to the databases for so many days. */
async function rememberDays(folder: string, databases: readonly Listed[]): Promise<number> {
  const endMs = Date.now()
  let nowMs = endMs - DAYS * 86_400_000
  const recorder = new Recorder({
    history: new History({ folder, log: { warn: () => undefined } }),
    now: () => nowMs,
  })
  const objects = databases.flatMap(({ uid, shard_list }): Measured[] => [
    ...shard_list.map((shardUid) => ({ kind: 'shard', uid: shardUid }) as const),
    { kind: 'database', uid },
    { kind: 'endpoint', uid, nodeUid: 1 },
  ])
  for (; nowMs < endMs; nowMs += STEP_MS) {
    for (const [index, object] of objects.entries()) {
      // Numbers as of a database that is used: nearly all of them differ, and few are whole.
      const values = Float64Array.from(COLUMNS[object.kind].names, (_, column) => (nowMs % 977) * column + index / 3)
      recorder.take(object, new Sample(object.kind, nowMs, nowMs + 1_000, values))
    }
    await recorder.settle()
  }
  await recorder.close()
  const { stdout } = await du(folder)
  return Number(stdout.split('\t')[0]) / 1e6
}
