/**
 * Finds a process that hangs: it is there, and does not answer. One that works hard (a script, a big key, a fork) uses
 * its processor meanwhile, or waits for it, or for a disk, and is left in peace however long it takes; one that does not is
 * ended, and only then is it certain that it will not come back and write. The only copy of its data is given far longer: it
 * may merely stand still, and nobody could take over. Callers: the supervision, for as long as a connection lasts.
 */
import { readFile } from 'node:fs/promises'
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { isAlive } from '#engine/process.ts'
import { Looks } from './looks.ts'
import type { Log } from './options.ts'
import type { Shard } from './shard.ts'

/** Where another process stands ready to take over, it is worth asking often. */
const BEAT_MS = { replicated: 250, alone: 5_000 } as const
const ANSWER_MS = 1_000
/** So long is waited at least for a process whose end would lose all data: what only stood still comes back with it. */
const ONLY_COPY_PATIENCE_MS = 30_000

type Watching = {
  readonly log: Log
  /** So long without an answer and without using its processor: then it hangs. */
  readonly hangsAfterMs: () => number
}

export function watchHeart(shard: Shard, connection: ControlConnection, { log, hangsAfterMs }: Watching): Disposable {
  let quiet: Quiet | null = null
  const ask = async () => {
    quiet = (await answers(connection)) || shard.isSending ? null : await stillQuiet(shard, quiet)
    if (looks.isOver) return
    const patienceMs = Math.max(hangsAfterMs(), isOnlyCopy(shard) ? ONLY_COPY_PATIENCE_MS : 0)
    if (quiet && performance.now() - quiet.since >= patienceMs) end(shard, log)
    looks.after(quiet ? BEAT_MS.replicated : beatMs(shard))
  }
  const looks = new Looks(() => {
    // Statistics and others ask it all the time: whoever has just answered need not be asked whether they do.
    if (performance.now() - connection.heardAtMs >= beatMs(shard)) return void ask()
    quiet = null
    looks.after(beatMs(shard))
  })
  looks.after(BEAT_MS.replicated)
  return looks
}

/** Since when it has done nothing, and how much of the processor it had used by then. */
type Quiet = { readonly since: number; readonly usedTicks: number }

async function answers(connection: ControlConnection): Promise<boolean> {
  try {
    await connection.call(['PING'], { timeoutMs: ANSWER_MS })
    return true
  } catch (error) {
    // Whatever it complains about, it speaks.
    return error instanceof EngineError
  }
}

async function stillQuiet({ process }: Shard, quiet: Quiet | null): Promise<Quiet | null> {
  const usedTicks = process && (await processorTicks(process.pid))
  if (usedTicks === null) return null
  if (quiet && usedTicks === quiet.usedTicks) return quiet
  return { since: performance.now(), usedTicks }
}

/** User and system time of the process, as the kernel counts it; null: it is gone, or not at fault. */
async function processorTicks(pid: number): Promise<number | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  if (stat === null) return null
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // It waits for a disk: that ends by itself, and killing it would not end it sooner. Or for the processor: it would work.
  if (fields[0] === 'D' || fields[0] === 'R') return null
  return Number(fields[11]) + Number(fields[12])
}

function end({ process: engine, uid }: Shard, log: Log): void {
  if (!engine || !isAlive(engine)) return
  log.warn({ shardUid: uid, pid: engine.pid }, 'the process hangs: ending it')
  process.kill(engine.pid, 'SIGKILL')
}

/** Nothing is on disk, and no replica had everything when it last spoke. */
function isOnlyCopy({ record, observed }: Shard): boolean {
  const spec = record?.spec
  return spec?.persistence.kind === 'none' && observed.role === 'primary' && observed.onlineReplicas === 0
}

/** No shard that answers is silent for much longer than this. */
export function beatMs({ record }: Shard): number {
  const role = record?.spec?.role
  return role?.kind === 'replica' || role?.isReplicated ? BEAT_MS.replicated : BEAT_MS.alone
}
