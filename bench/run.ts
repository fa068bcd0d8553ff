/**
 * `npm run bench`: measures what we claim, each beside its counterpart in the same run, prints a table and writes
 * bench/results/latest.json. Names behind `--` choose rows: `npm run bench -- reads writes`.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { type Instance, startInstance } from '../test/support/instance.ts'
import { PROFILABLE } from './cpu-profile.ts'
import { benchCreation } from './creation.ts'
import { benchEndpoint } from './endpoint.ts'
import { benchFailover } from './failover.ts'
import { benchManyDatabases } from './many-databases.ts'
import { benchProxy } from './proxy.ts'
import { benchReads } from './read-throughput.ts'
import { benchResharding } from './resharding.ts'
import type { BenchRow } from './row.ts'
import { benchSampling } from './sampling.ts'
import { benchWrites } from './write-latency.ts'

type Bench = {
  readonly run: (instance: Instance) => Promise<BenchRow | readonly BenchRow[]>
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

const BENCHES: Readonly<Record<string, Bench>> = {
  reads: { run: benchReads, args: [] },
  writes: { run: benchWrites, args: [] },
  endpoint: { run: benchEndpoint, args: [] },
  proxy: { run: benchProxy, args: [] },
  creation: { run: benchCreation, args: [] },
  failover: { run: benchFailover, args: [] },
  resharding: { run: (instance) => benchResharding(instance), args: [] },
  // A block of test ports is too small for a thousand databases.
  many: { run: benchManyDatabases, args: ['--database-ports', '6400-8000'] },
  statistics: { run: benchSampling, args: ['--database-ports', '6400-8000'], env: PROFILABLE },
}

const wanted = process.argv.slice(2)
const unknown = wanted.find((name) => !Object.hasOwn(BENCHES, name))
if (unknown !== undefined) throw new Error(`there is no row ${unknown}; there are: ${Object.keys(BENCHES).join(', ')}`)

const rows: BenchRow[] = []
for (const [name, bench] of Object.entries(BENCHES)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  process.stderr.write(`measuring ${name} …\n`)
  rows.push(...[await onFreshInstance(bench)].flat())
}
print(rows)
const folder = fileURLToPath(new URL('./results/', import.meta.url))
await mkdir(folder, { recursive: true })
const machine = { cpu: cpus()[0]?.model ?? '', cores: cpus().length, node: process.version }
await writeFile(`${folder}latest.json`, `${JSON.stringify({ machine, rows }, null, 2)}\n`)
process.exit(0)

async function onFreshInstance({ run, args, env = {} }: Bench): Promise<BenchRow | readonly BenchRow[]> {
  const cleanUps: (() => Promise<void>)[] = []
  try {
    const instance = await startInstance({ after: (cleanUp) => void cleanUps.push(cleanUp) }, { args, env })
    return await run(instance)
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

function print(all: readonly BenchRow[]): void {
  const table = all.map((row) => ({
    what: row.what,
    holdfast: row.ours,
    beside: row.beside,
    theirs: row.theirs,
    ratio: row.ratio,
    aim: row.aim,
    met: row.met ? 'yes' : 'NO',
  }))
  console.table(table)
}
