/**
 * Stops everything on this node: the control plane if it runs, then every database, each saving what its persistence
 * promises and, without any, leaving its data for the next start. Safe to repeat.
 */
import { access } from 'node:fs/promises'
import { LocalAgent } from '#agent/local-agent.ts'
import { type DataFolder, openDataFolder, readManager } from './data-folder.ts'
import { proxyProgram } from './proxy-program.ts'
import { clusterKeys, controlSecret } from './secrets.ts'
import { readSettings } from './settings.ts'

/** The control plane ends within a second; a machine that swaps takes longer. */
const MANAGER_TIMEOUT_MS = 30_000
const POLL_MS = 20
/** Writing a big database to disk takes its time: about 100 MB/s on a slow disk. */
const SHARD_TIMEOUT_MS = 600_000

async function main(): Promise<number> {
  const reading = readSettings(process.argv.slice(2), process.env)
  if (!reading.ok) {
    process[reading.exitCode === 0 ? 'stdout' : 'stderr'].write(`${reading.problem}\n`)
    return reading.exitCode
  }
  const { dataDir } = reading.settings
  if (!(await exists(dataDir))) {
    say(`Nothing to stop: there is no ${dataDir}.`)
    return 0
  }
  const wasRunning = await stopManager(dataDir)
  const folder = await takeOver(dataDir)
  if (!folder) return 1
  try {
    const { stopped, failed } = await stopShards(dataDir)
    if (!wasRunning && stopped === 0 && failed.length === 0) say('Nothing was running.')
    else
      say(`Stopped ${wasRunning ? 'the control plane and ' : ''}${stopped} ${stopped === 1 ? 'process' : 'processes'}.`)
    for (const line of failed) process.stderr.write(`holdfast: ${line}\n`)
    return failed.length === 0 ? 0 : 1
  } finally {
    await folder.close()
  }
}

/** True when one was running. */
async function stopManager(dataDir: string): Promise<boolean> {
  const manager = await readManager(dataDir)
  if (!manager) return false
  try {
    process.kill(manager.pid, 'SIGTERM')
  } catch {
    // It ended just now by itself.
  }
  return true
}

/** While the lock is ours no control plane can start the databases again behind our back. */
async function takeOver(dataDir: string): Promise<DataFolder | undefined> {
  const deadline = Date.now() + MANAGER_TIMEOUT_MS
  for (;;) {
    const opening = await openDataFolder(dataDir)
    if (opening.ok) return opening.folder
    if (Date.now() > deadline) {
      process.stderr.write(`holdfast: ${opening.problem}\n`)
      return undefined
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function stopShards(dataDir: string): Promise<{ stopped: number; failed: string[] }> {
  const quiet = () => undefined
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const agent = new LocalAgent({
    dataDir,
    nodeUid: 1,
    engines: [],
    controlSecret: await controlSecret(dataDir, await clusterKeys(dataDir)),
    keyPairOf: () => undefined,
    hangsAfterMs: () => 1_500,
    log,
    proxy: proxyProgram(() => undefined),
    now: () => Date.now(),
  })
  await agent.start(new AbortController().signal)
  // First, so that nobody asks for shards that are about to end.
  await agent.stopProxy()
  const alive = [...agent.observed().values()].filter(({ state }) => state !== 'stopped' && state !== 'exited')
  const signal = AbortSignal.timeout(SHARD_TIMEOUT_MS)
  const results = await Promise.allSettled(
    alive.map(({ uid }) => agent.apply({ kind: 'stop-shard', shardUid: uid, save: true }, { signal })),
  )
  await agent.close()
  const failed = results.flatMap((result, index) =>
    result.status === 'rejected' ? [`shard ${alive[index]?.uid} did not stop: ${result.reason}`] : [],
  )
  return { stopped: alive.length - failed.length, failed }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}

process.exitCode = await main()
