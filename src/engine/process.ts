/**
 * Engine processes as the kernel sees them: started so that they outlive us, recognised again after we were restarted,
 * and ended without ever hitting a stranger. Callers: the agent.
 *
 * A pid alone names nobody: it is used again. Identity is the pid with the start time that the kernel keeps for it, and
 * nothing is signalled before both were read again. Which shard a process belongs to stands in its command line, which
 * ends with the absolute path of its configuration (the configuration says `set-proc-title no`).
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'

/** `startTicks`: clock ticks between the machine's boot and the start of the process. */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number }

/** How a child of ours ended, or why it never was one. */
export type ProcessEnd = { readonly code: number | null; readonly signal: string | null; readonly error: Error | null }

export type SpawnedProcess = { readonly identity: ProcessIdentity | null; readonly ended: Promise<ProcessEnd> }

/**
 * A session of its own (Ctrl-C in our terminal does not reach it), the log file as its output, and an empty environment: ours holds settings, among them the administrator's password, that no engine needs to know.
 */
export function spawnEngine(options: {
  readonly path: string
  readonly configPath: string
  readonly folder: string
  readonly logPath: string
  /** More of its configuration, which is to stand in no file. */
  readonly input?: string | undefined
}): SpawnedProcess {
  const log = openSync(options.logPath, 'a', 0o600)
  try {
    const { input } = options
    const args = input === undefined ? [options.configPath] : [options.configPath, STDIN]
    const child = spawn(options.path, args, {
      cwd: options.folder,
      detached: true,
      env: {},
      stdio: [input === undefined ? 'ignore' : 'pipe', log, log],
    })
    child.unref()
    child.stdin?.on('error', () => undefined).end(input)
    const ended = new Promise<ProcessEnd>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal, error: null }))
      child.once('error', (error) => resolve({ code: null, signal: null, error }))
    })
    return { identity: child.pid === undefined ? null : identify(child.pid), ended }
  } finally {
    closeSync(log)
  }
}

/** What an engine calls its standard input, as the last of its arguments. */
const STDIN = '-'

/** Places in /proc/PID/stat after the name. */
const STATE = 0
const SESSION = 3
const START_TICKS = 19

/** Null when there is no such process, or only what is left of one that nobody has waited for. */
export function identify(pid: number): ProcessIdentity | null {
  const fields = statFields(pid)
  const startTicks = Number(fields[START_TICKS])
  if (!Number.isInteger(startTicks) || fields[STATE] === 'Z' || fields[STATE] === 'X') return null
  return { pid, startTicks }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks
}

/** One system call; what nobody has waited for yet still counts. A negative pid is a group's. */
export function isListed(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** False when it was gone already. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false
  try {
    return process.kill(identity.pid, signal)
  } catch {
    return false
  }
}

/**
 * Every live engine that was started by `spawnEngine`, by the path of its configuration. One walk over /proc for all
 * shards: about 20 µs for each process of the machine.
 */
export function findEngines(): Map<string, ProcessIdentity> {
  const found = new Map<string, ProcessIdentity>()
  for (const pid of everyPid()) {
    const configPath = configPathOf(pid)
    // Ours lead their session; an editor that somebody opened on the same file does not, nor does an engine's own child.
    if (!configPath || statFields(pid)[SESSION] !== String(pid)) continue
    const identity = identify(pid)
    if (identity) found.set(configPath, identity)
  }
  return found
}

/**
 * Ends what a process that is gone has left behind: a child that still writes a dump, holds the clients' connections
 * open, and would put its dump in place of a newer one. It is known by its session and by the folder it works in; the
 * engine changes its command line. Usually there is none, and one system call says so.
 */
export function endLeftovers(leaderPid: number, folder: string): void {
  for (const leftover of findLeftovers(leaderPid, folder)) signalProcess(leftover, 'SIGKILL')
}

export function findLeftovers(leaderPid: number, folder: string): ProcessIdentity[] {
  if (!isListed(-leaderPid)) return []
  return everyPid().flatMap((pid) =>
    statFields(pid)[SESSION] === String(leaderPid) && folderOf(pid) === folder ? (identify(pid) ?? []) : [],
  )
}

function everyPid(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger)
}

function folderOf(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return null
  }
}

/** An engine writes its own name over its command line unless told not to. */
function configPathOf(pid: number): string | null {
  const words = readProc(pid, 'cmdline').split('\0')
  const last = words.at(-2) === STDIN ? words.at(-3) : words.at(-2)
  return last?.startsWith('/') && last.endsWith('.conf') ? last : null
}

/** The second field is the program's name in parentheses and may hold anything, so count from the last one. */
function statFields(pid: number): string[] {
  const stat = readProc(pid, 'stat')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

function readProc(pid: number, file: 'stat' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return ''
  }
}
