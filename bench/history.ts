/**
 * `node bench/history.ts [seconds] [seed]`: the long form of the history run of test/history.test.ts, ten minutes unless
 * told otherwise. Prints what befell the databases, what clients were told, and what is wrong with it; exit code 1 when
 * anything is.
 */
import { type Outcome, runHistory } from '../test/history/run.ts'
import { startInstance } from '../test/support/instance.ts'

const [seconds = 600, seed = Date.now() % 1_000_000] = process.argv.slice(2).map(Number)
const cleanUps: (() => Promise<void>)[] = []
const say = (text: string) => void process.stdout.write(`${text}\n`)
const began = performance.now()
const tell = (line: string) => say(`${((performance.now() - began) / 1000).toFixed(1).padStart(7)} s  ${line}`)

try {
  const instance = await startInstance({ after: (cleanUp) => void cleanUps.push(cleanUp) })
  const { faults, databases } = await runHistory(instance, { seconds, seed, tell })
  say(`\nseed ${seed}, ${seconds} s; faults: ${JSON.stringify(faults)}\n`)
  console.table(databases.map(rowOf))
  for (const { name, errors } of databases) say(`${name} was told: ${JSON.stringify(errors)}`)
  for (const { name, violations, mayHaveLost, stuck } of databases) {
    if (stuck) say(`${name} is stuck: ${stuck}`)
    if (violations.length > 0) say(`${name}: failovers that may have lost writes: ${JSON.stringify(mayHaveLost)}`)
    for (const { kind, key, what } of violations.slice(0, 20)) say(`${name}: ${kind}, ${key}: ${what}`)
  }
  process.exitCode = databases.some(({ violations, stuck }) => violations.length > 0 || stuck !== '') ? 1 : 0
} finally {
  for (const cleanUp of cleanUps) await cleanUp()
}

function rowOf({ name, operations, failovers, longestOutageMs, violations, stuck }: Outcome) {
  return {
    database: name,
    ...operations,
    failovers,
    longestOutageMs,
    violations: violations.length,
    stuck: stuck !== '',
  }
}
