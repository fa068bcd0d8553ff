/**
 * What the suite found, as a page for people. Pure. Callers: the program.
 */
import { whyDifferent } from './differences.ts'
import type { FileResult } from './suite-file.ts'

/** By the names of the servers. */
export type Outcome = { readonly file: string; readonly results: Readonly<Record<string, FileResult>> }

export const SERVERS: readonly string[] = ['bare', 'unsharded', 'sharded']

export function summaryOf(outcomes: readonly Outcome[]): string {
  const lines = SERVERS.map((name) => {
    const all = outcomes.flatMap(({ results }) => results[name] ?? [])
    const passed = all.reduce((sum, result) => sum + result.passed, 0)
    const failed = all.reduce((sum, result) => sum + result.failed.length, 0)
    return `${name}: ${passed} passed, ${failed} failed`
  })
  return `${lines.join('\n')}\n`
}

export function reportOf(outcomes: readonly Outcome[], version: string, shardCount: number): string {
  const ran = outcomes.filter(({ results }) => SERVERS.some((name) => countOf(results[name]) > 0))
  const rows = ran.map(
    ({ file, results }) => `| ${file} | ${SERVERS.map((name) => cellOf(results[name])).join(' | ')} |`,
  )
  const total = SERVERS.map((name) => cellOf(sumOf(outcomes.flatMap(({ results }) => results[name] ?? []))))
  return `# Redis's own test suite against a database

Made by \`npm run redis-suite -- /path/to/redis\` with redis-server ${version} and the suite of the same version, in its
mode for external servers. What starts servers of its own is not run. *bare* is redis-server by itself, *unsharded* the
endpoint of a database with one shard, *sharded* the endpoint of one with ${shardCount} shards, through the proxy, with the
suite's option \`--cluster-mode\` (it leaves out what needs several databases or keys of several slots in one command)
\`--ignore-digest\` (a digest is one process's) and without what it tags \`needs:repl\` (the replication stream is one
process's too). All three are opened to what the suite asks of a server of its own:
\`DEBUG\`, \`CONFIG SET\`. The control plane has been killed by then: it would mend what the suite breaks on purpose.
Each row is the latest run of its file.

| File | bare | unsharded | sharded |
|---|---|---|---|
${rows.join('\n')}
| **all** | ${total.join(' | ')} |

Left out by the suite itself: ${SERVERS.map((name) => `${leftOutOf(outcomes, name)} (${name})`).join(', ')}.

## What failed

${failuresOf(outcomes)}
`
}

function failuresOf(outcomes: readonly Outcome[]): string {
  const rows = outcomes.flatMap(({ file, results }) => {
    const tests = new Map<string, { why: string; servers: string[] }>()
    for (const name of SERVERS) {
      for (const { test, why } of results[name]?.failed ?? []) {
        const known = tests.get(test)
        if (known) known.servers.push(name)
        else tests.set(test, { why, servers: [name] })
      }
    }
    return [...tests].map(([test, { why, servers }]) => {
      const reason = whyDifferent(file, { test, why }) ?? `\`${cellText(why).slice(0, 200)}\``
      return `| ${file} | ${cellText(test)} | ${servers.join(', ')} | ${reason} |`
    })
  })
  const cut = outcomes.flatMap(({ file, results }) =>
    SERVERS.flatMap((name) => {
      const { cutShort = '' } = results[name] ?? {}
      const test = '(the rest of the file)'
      const reason = whyDifferent(file, { test, why: cutShort }) ?? `\`${cellText(cutShort)}\``
      return cutShort === '' ? [] : `| ${file} | ${test} | ${name} | ${reason} |`
    }),
  )
  if (rows.length + cut.length === 0) return 'Nothing.'
  return `| File | Test | Where | Why |\n|---|---|---|---|\n${[...rows, ...cut].join('\n')}`
}

function sumOf(all: readonly FileResult[]): FileResult {
  return {
    passed: all.reduce((sum, { passed }) => sum + passed, 0),
    failed: all.flatMap(({ failed }) => failed),
    leftOut: all.reduce((sum, { leftOut }) => sum + leftOut, 0),
    cutShort: '',
  }
}

function countOf(result: FileResult | undefined): number {
  return result ? result.passed + result.failed.length : 0
}

function cellOf(result: FileResult | undefined): string {
  if (!result || countOf(result) === 0) return '–'
  const { passed, failed } = result
  return failed.length === 0 ? `${passed}` : `${passed}, **${failed.length} failed**`
}

function leftOutOf(outcomes: readonly Outcome[], name: string): number {
  return outcomes.reduce((sum, { results }) => sum + (results[name]?.leftOut ?? 0), 0)
}

const cellText = (text: string) => text.replaceAll('|', '\\|').replaceAll('`', "'")
