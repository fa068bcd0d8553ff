/**
 * Whether dashboards and alert rules light up: takes every PromQL expression of a checkout of
 * redis-field-engineering/redis-enterprise-observability (its path is the argument), has a real Prometheus scrape a cluster
 * under load, asks it each of them, and lists those that stay empty, with the metrics in them that nobody tells.
 *
 * `npm run dashboards -- CHECKOUT [seconds]`. An alert rule is asked without the comparison at its end: in good health it
 * is empty, and what it compares is not.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { startInstance } from '../test/support/instance.ts'
import { freePort } from '../test/support/ports.ts'
import { until } from '../test/support/wait.ts'

const [checkout, seconds = '90'] = process.argv.slice(2)
if (!checkout) throw new Error('the path of a checkout of redis-enterprise-observability is missing')

/** Those for this software, and not for the cloud, Active-Active, copying between clusters, or a module. */
const DASHBOARDS = {
  v1: 'grafana/dashboards/grafana_v9-11/software/{basic,classic}/*.json',
  v2: 'grafana_v2/dashboards/grafana_v9-11/software/{basic,ops}/*.json',
}
const RULES = { v1: 'prometheus/rules/*.yml', v2: 'prometheus_v2/rules/*.yml' }
const NOT_OURS = /active-active|synchroni[sz]ation|-crdt/
type Version = keyof typeof RULES
type Asked = { readonly file: string; readonly expression: string; readonly isRule: boolean }

const cleanUps: (() => Promise<void>)[] = []
const context = { after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) }
try {
  const it = await startInstance(context)
  const folder = await mkdtemp(join(tmpdir(), 'dashboards-'))
  context.after(() => rm(folder, { recursive: true, force: true }))
  const plain = await it.create({ name: 'plain', memory_size: 200_000_000, replication: true, data_persistence: 'aof' })
  const sharded = await it.create({ name: 'sharded', memory_size: 200_000_000, sharding: true, shards_count: 2 })
  for (const { endpoints } of [plain, sharded]) keepBusy(endpoints[0].port)
  const port = await startPrometheus(folder, it.ports.metrics)
  process.stderr.write(`scraping for ${seconds} s …\n`)
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1000))
  const told = new Set<string>((await ask(port, 'label/__name__/values')).data)
  for (const version of ['v1', 'v2'] as const) {
    const asked = await expressions(checkout, version)
    const rows = await Promise.all(
      asked.map(async (one) => ({
        ...one,
        ...(await answerTo(port, version, one, String(sharded.uid), String(sharded.shard_list[0]))),
      })),
    )
    print(version, rows, told)
  }
} finally {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}
process.exit(0)

/** Writes, reads that hit and miss, keys that expire and that are evicted, for as long as it is watched. */
function keepBusy(port: number): void {
  const args = [
    '-p',
    String(port),
    '-c',
    '5',
    '-l',
    '-n',
    '20000',
    '-r',
    '5000',
    '-d',
    '100',
    '-q',
    '-t',
    'set,get,lpush,ping',
  ]
  const child = spawn('redis-benchmark', args, { stdio: 'ignore' })
  context.after(async () => void child.kill('SIGKILL'))
}

async function startPrometheus(folder: string, metrics: number): Promise<number> {
  const port = await freePort()
  const job = (name: string, path: string) =>
    `  - job_name: ${name}\n    scheme: https\n    metrics_path: ${path}\n    tls_config: { insecure_skip_verify: true }\n` +
    `    static_configs: [{ targets: ['127.0.0.1:${metrics}'] }]\n`
  const config = `global: { scrape_interval: 5s, scrape_timeout: 4s }\nscrape_configs:\n${job('v1', '/metrics')}${job('v2', '/v2')}`
  await writeFile(join(folder, 'prometheus.yml'), config)
  const child: ChildProcess = spawn(
    'prometheus',
    [
      `--config.file=${join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  )
  context.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.kill('SIGTERM')) await ended
  })
  await until('Prometheus', async () => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok)
  return port
}

// biome-ignore lint/suspicious/noExplicitAny: what Prometheus answers
async function ask(port: number, path: string): Promise<any> {
  return await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()
}

async function expressions(root: string, version: Version): Promise<Asked[]> {
  const found: Asked[] = []
  for (const file of globSync(DASHBOARDS[version], { cwd: root }).filter((path) => !NOT_OURS.test(path))) {
    const board: unknown = JSON.parse(await readFile(join(root, file), 'utf8'))
    for (const expression of expressionsIn(board)) found.push({ file, expression, isRule: false })
  }
  for (const file of globSync(RULES[version], { cwd: root }).filter((path) => !NOT_OURS.test(path))) {
    const text = await readFile(join(root, file), 'utf8')
    for (const [, quoted, bare] of text.matchAll(/^\s*-?\s*expr:\s*(?:'(.*)'|(.*?))\s*$/gm))
      found.push({ file, expression: (quoted ?? bare ?? '').replace(/\s#.*$/, '').trim(), isRule: true })
  }
  const seen = new Set<string>()
  return found.filter(({ file, expression }) => {
    const key = `${file} ${expression}`
    return !seen.has(key) && seen.add(key) !== undefined
  })
}

function* expressionsIn(value: unknown): Generator<string> {
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'expr' && typeof inner === 'string' && inner.trim() !== '') yield inner.trim()
    else yield* expressionsIn(inner)
  }
}

/** With the variables of the dashboard filled in. */
async function answerTo(
  port: number,
  version: Version,
  { expression, isRule }: Asked,
  database: string,
  shard: string,
) {
  const values: Record<string, string> = {
    cluster: 'cluster.local',
    bdb: database,
    db: database,
    database,
    node: '1',
    shard,
    redis: shard,
    proxy: '1',
    endpoint: `${database}:1`,
    role: 'master',
    aggregation: '1m',
    interval: '1m',
    __interval: '1m',
    __rate_interval: '1m',
    job: version,
    topk: '5',
  }
  const filled = (isRule ? withoutComparison(expression) : expression)
    .replace(/\$\{?(\w+)(:\w+)?\}?/g, (whole, name: string) => values[name] ?? whole)
    .replace(/\[15m\]/g, '[1m]')
    .replace(/job="redis"/g, `job="${version}"`)
    .replace(/cluster="localhost"/g, 'cluster="cluster.local"')
  const { status, data, error } = await ask(port, `query?query=${encodeURIComponent(filled)}`)
  const result = data?.resultType === 'scalar' ? [data.result] : (data?.result ?? [])
  const isNothing = data?.resultType === 'scalar' && data.result[1] === 'NaN'
  return { isEmpty: status !== 'success' || result.length === 0 || isNothing, error: String(error ?? '') }
}

/** `a / b > 90` asks for `a / b`. */
function withoutComparison(expression: string): string {
  const [first = expression] = expression.split(/\s(?:and|unless)\s/)
  return first.replace(/\s*(?:[<>]=?|[!=]=)\s*(?:bool\s+)?[\d.]+\s*$/, '')
}

type Row = Asked & { readonly isEmpty: boolean; readonly error: string }

function print(version: Version, rows: readonly Row[], told: ReadonlySet<string>): void {
  const empty = rows.filter(({ isEmpty }) => isEmpty)
  process.stdout.write(`\n## ${version}: ${rows.length} expressions, ${empty.length} empty\n`)
  for (const [file, all] of Map.groupBy(rows, ({ file: name }) => name)) {
    const none = all.filter(({ isEmpty }) => isEmpty)
    process.stdout.write(`${relative('.', file)}: ${all.length - none.length} of ${all.length} answered\n`)
  }
  const missing = new Map<string, number>()
  for (const { expression, error } of empty) {
    const names = [
      ...expression.matchAll(
        /\b(?:bdb|node|redis|listener|endpoint|db|dmc\w*|namedprocess|cluster|license|no_of|shard)_\w+/g,
      ),
    ]
    const unknown = [...new Set(names.map(([name]) => name))].filter((name) => !told.has(name))
    for (const name of unknown) missing.set(name, (missing.get(name) ?? 0) + 1)
    if (unknown.length === 0) process.stdout.write(`empty, and every metric is told: ${expression} ${error}\n`)
  }
  process.stdout.write(
    `metrics that are not told: ${[...missing].map(([name, count]) => `${name} (${count})`).join(', ')}\n`,
  )
}
