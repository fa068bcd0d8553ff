/**
 * Why a test of the suite fails where a bare server passes it, or anywhere: in words. Callers: the report. A failure that
 * is not in here is shown with what the suite says of it. The first that fits counts.
 */
import type { Failure } from './suite-file.ts'

type Difference = { readonly fits: (file: string, failure: Failure) => boolean; readonly why: string }

const saying =
  (pattern: RegExp): Difference['fits'] =>
  (_file, { test, why }) =>
    pattern.test(`${test}: ${why}`)
const titled =
  (file: string, pattern: RegExp): Difference['fits'] =>
  (of, { test }) =>
    of === file && pattern.test(test)

const DIFFERENCES: readonly Difference[] = [
  {
    fits: (file, { test, why }) => file === 'unit/type/set' && (/key "pid"/.test(why) || /^SMOVE /.test(test)),
    why: 'Of the suite: it wants the pid of its own server, and does not put back what it had set for this test',
  },
  { fits: saying(/'sync' is not available/), why: 'Reads the replication stream, which each shard has of its own' },
  { fits: saying(/'?monitor'? is not available|^MONITOR/i), why: '`MONITOR` shows one process: refused' },
  { fits: saying(/non local key/), why: 'The script names no keys: a script sees the keys of one shard only' },
  {
    fits: titled('unit/tracking', /rest of the file/),
    why: 'The tests build on `REDIRECT`, which is refused: the first waits for ever for what it should bring',
  },
  {
    fits: saying(/the rest of the file.*(script|kill)/),
    why: 'The test before fails while a script runs for ever, and so nobody ends the script',
  },
  {
    fits: saying(/the rest of the file.*inside a transaction/),
    why: 'Follows from a test that failed inside of `MULTI`',
  },
  {
    fits: (file, { why }) =>
      file === 'unit/pause' && /PAUSE is not available|inside a transaction|not be nested/.test(why),
    why: '`CLIENT PAUSE` is refused: traffic is stopped through the API. What is tried inside of `MULTI` meanwhile fails with it',
  },
  { fits: saying(/needs RESP3/), why: '`CLIENT TRACKING` with RESP2 would need `REDIRECT`, which is refused' },
  {
    fits: saying(/to match '(EXECABORT\*|BUSY)/),
    why: 'While a script runs, the proxy answers `PING` itself, other shards work on, and what is for its shard waits',
  },
  {
    fits: titled('unit/slowlog', /./),
    why: 'Each shard has a slow log of its own, and a command for all of them (`CONFIG SET`, `SLOWLOG RESET`) is in each; tests after the first that failed inside of `MULTI` fail with it',
  },
  {
    fits: titled('unit/introspection', /^CLIENT (LIST|INFO)/),
    why: '`CLIENT LIST` tells what the proxy knows of its clients, not what an engine knows of a connection',
  },
  {
    fits: titled('unit/introspection', /^CLIENT KILL with illegal/),
    why: 'The proxy does not know which users there are: of one that nobody is, nobody is let go',
  },
  {
    fits: titled('unit/introspection', /^CLIENT KILL SKIPME/),
    why: 'It counts by `connected_clients`, which are the connections of the shards',
  },
  { fits: titled('unit/introspection', /^CONFIG sanity/), why: 'Sets the port of every shard to the same number' },
  {
    fits: (file) => file === 'unit/querybuf' || file === 'unit/replybufsize',
    why: '`CLIENT LIST` tells what the proxy knows of its clients, not the buffers of an engine',
  },
  {
    fits: titled('unit/latency-monitor', /^LATENCY HISTOGRAM/),
    why: 'What is asked of every shard counts once for each, and what the proxy answers not at all',
  },
]

export function whyDifferent(file: string, failure: Failure): string | undefined {
  return DIFFERENCES.find(({ fits }) => fits(file, failure))?.why
}
