/**
 * The folder in which one instance keeps everything, and the proof that no other instance uses it. Opened by `start`
 * before anything else is touched; `stop` only asks who holds it.
 *
 * The proof is a lock of the kernel on the file `lock`, taken through SQLite because Node has no way of its own: it
 * ends with the process, however that ends, so nothing is ever left to clean up, and it holds between containers that
 * share a volume, which a socket would not. Such a lock is lost when *any* descriptor of the file is closed in our
 * process: nobody else may open `lock`.
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { access, constants, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Who runs on a data folder: `manager.json` in it, readable by its owner only. */
export type Manager = {
  readonly pid: number
  /** Of the process, in the kernel's ticks, and of the boot they count from: together with the pid never used twice. */
  readonly startTime: string
  readonly bootId: string
  /** Null until the API answers. */
  readonly apiUrl: string | null
  readonly version: string
}

export type DataFolder = {
  readonly path: string
  /** Tells `npm stop` and people where the API is. */
  announce(facts: { readonly apiUrl: string; readonly version: string }): Promise<void>
  /** Gives the folder back; safe to repeat. */
  close(): Promise<void>
}

export type Opening =
  | { readonly ok: true; readonly folder: DataFolder }
  | { readonly ok: false; readonly problem: string }

const lockName = 'lock'
const managerName = 'manager.json'

// SQLite closes a database that nobody refers to any more, and that would end the lock.
const held = new Set<DatabaseSync>()

/** Makes the folder where it is missing, and holds it until `close` or the end of the process. */
export async function openDataFolder(path: string): Promise<Opening> {
  if (process.platform !== 'linux') return refused(`Holdfast runs on Linux only, and this is ${process.platform}`)
  const problem = await makeReady(path)
  if (problem !== null) return refused(problem)

  let lock: DatabaseSync | null
  try {
    lock = takeLock(join(path, lockName))
  } catch (error) {
    return refused(`the data folder ${path} cannot be locked: ${messageOf(error)}`)
  }
  if (lock === null) {
    const holder = await readManager(path)
    const who = holder === null ? 'another instance' : `another instance, process ${holder.pid}`
    return refused(`the data folder ${path} is in use by ${who}: stop it, or choose another with --data-dir`)
  }
  held.add(lock)
  const folder = makeFolder(path, lock)
  // Only `npm stop` and people read it; a full disk must not keep the control plane from its databases.
  await writeManager(path, { apiUrl: null, version: '' }).catch(() => undefined)
  return { ok: true, folder }
}

/** The process that holds the folder, or null; never one that merely got the pid of an earlier holder. */
export async function readManager(path: string): Promise<Manager | null> {
  let manager: Manager | null
  try {
    manager = parseManager(await readFile(join(path, managerName), 'utf8'))
  } catch {
    return null
  }
  if (manager === null) return null
  const isAlive = manager.startTime === startTimeOf(manager.pid) && manager.bootId === bootId()
  return isAlive ? manager : null
}

/** The file is there whole, readable by its owner only, and on the disk; or it is as it was before. */
export async function writeSecretFile(path: string, text: string): Promise<void> {
  const temporary = `${path}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  const folder = await open(dirname(path), 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** A sentence on what is wrong with the folder, or null. */
async function makeReady(path: string): Promise<string | null> {
  try {
    await makeFolders(path)
  } catch (error) {
    return `the data folder ${path} cannot be made: ${messageOf(error)}`
  }
  let facts: Awaited<ReturnType<typeof stat>>
  let names: string[]
  try {
    facts = await stat(path)
    if (!facts.isDirectory()) return `the data folder ${path} is not a folder: choose another with --data-dir`
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
    names = await readdir(path)
  } catch (error) {
    return `the data folder ${path} cannot be read and written: ${messageOf(error)}`
  }
  if (facts.uid !== 0 && facts.uid !== process.getuid?.()) {
    return `the data folder ${path} belongs to user ${facts.uid}, and we run as ${process.getuid?.()}: change its owner, or choose another`
  }
  // Whoever may write into it can read every secret, by putting a file of theirs in place of ours.
  if ((facts.mode & 0o002) !== 0)
    return `everybody may write into the data folder ${path}: chmod o-w it, or choose another`
  // What is in it is ours to change and to delete, so nobody's home folder may become it by a slip of the hand.
  const foreign = names.filter((name) => name !== 'lost+found')
  if (foreign.length > 0 && !names.includes(lockName)) {
    return `the data folder ${path} has files in it that are not Holdfast's: choose an empty folder, or one that is not there yet`
  }
  return null
}

// Node's own recursive mkdir never ends where the kernel says ENOENT although the parent is there, as in /proc.
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return // what it is, is found out next
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path || (await isThere(dirname(path)))) throw error
    await makeFolders(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Null when somebody else holds it. */
function takeLock(path: string): DatabaseSync | null {
  const lock = new DatabaseSync(path, { timeout: 0 })
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (isBusy(error)) return null
    throw error
  }
}

const sqliteBusy = 5

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy
}

function makeFolder(path: string, lock: DatabaseSync): DataFolder {
  return {
    path,
    announce: (facts) => writeManager(path, facts).catch(() => undefined),
    async close() {
      if (!held.delete(lock)) return
      try {
        await rm(join(path, managerName), { force: true })
      } finally {
        lock.close()
      }
    },
  }
}

async function writeManager(path: string, facts: Pick<Manager, 'apiUrl' | 'version'>): Promise<void> {
  const startTime = startTimeOf(process.pid) ?? ''
  const manager: Manager = { pid: process.pid, startTime, bootId: bootId(), ...facts }
  await writeSecretFile(join(path, managerName), `${JSON.stringify(manager)}\n`)
}

function parseManager(text: string): Manager | null {
  const { pid, startTime, bootId, apiUrl, version }: Record<string, unknown> = JSON.parse(text)
  if (!Number.isInteger(pid) || typeof startTime !== 'string' || typeof bootId !== 'string') return null
  if ((apiUrl !== null && typeof apiUrl !== 'string') || typeof version !== 'string') return null
  return { pid: Number(pid), startTime, bootId, apiUrl, version }
}

/** Field 22 of /proc/PID/stat, counted from behind the command's name, which may hold spaces; null: no such process. */
function startTimeOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
}

function refused(problem: string): Opening {
  return { ok: false, problem }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
