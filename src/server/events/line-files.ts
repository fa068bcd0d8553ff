/**
 * Lines of text on disk, in a file that is set aside when it is full and a bounded number of those: `audit.log` is the
 * newest, `audit-7.log` is older than `audit-8.log`. Writing is synchronous, into the kernel's memory: what is written
 * survives the end of this process, however it ends, and takes some ten microseconds.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  read,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

export type LineFilesOptions = {
  readonly folder: string
  /** Without the ending: `audit`. */
  readonly name: string
  /** A file that has as many is set aside. */
  readonly fileBytes: number
  /** Together with the newest; the oldest is removed. */
  readonly files: number
  /** What was set aside so long ago is removed when another is; absent: however old it is, it stays. */
  readonly maxAgeMs?: number
}

/** Holds files open until it is closed. */
export type Snapshot = {
  /** Oldest first, or newest first; empty ones are left out. Rejects with the system's error. */
  lines(order: 'asc' | 'desc'): AsyncGenerator<string>
  close(): void
}

type Opened = { readonly descriptor: number; readonly size: number }

const CHUNK_BYTES = 65_536
const LINE_BREAK = 10
const { O_APPEND, O_CREAT, O_RDWR } = constants
const readAt = promisify(read)

export class LineFiles {
  #options: LineFilesOptions
  #descriptor: number | undefined
  #size = 0

  constructor(options: LineFilesOptions) {
    this.#options = options
  }

  /** From the next line on. */
  limit(limits: Pick<LineFilesOptions, 'fileBytes' | 'files' | 'maxAgeMs'>): void {
    this.#options = { ...this.#options, ...limits }
  }

  /** Either all of it is there, or nothing. Throws the system's error. */
  append(line: string): void {
    const bytes = Buffer.from(`${line}\n`)
    const descriptor = this.#open(bytes.length)
    try {
      const written = writeSync(descriptor, bytes)
      if (written < bytes.length) throw new Error(`only ${written} of ${bytes.length} bytes could be written`)
      this.#size += written
    } catch (error) {
      this.#takeBack(descriptor)
      throw error
    }
  }

  /** What there is at this moment: what is written or removed meanwhile makes no difference to it. */
  snapshot(): Snapshot {
    const opened = this.#openAll()
    return {
      lines: (order) => (order === 'asc' ? inOrder(opened, forwards) : inOrder(opened.toReversed(), backwards)),
      close: () => {
        for (const { descriptor } of opened) closeSync(descriptor)
      },
    }
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor)
    this.#descriptor = undefined
  }

  /** The newest file, with room for so many bytes. */
  #open(bytes: number): number {
    if (this.#descriptor !== undefined && this.#size + bytes > this.#options.fileBytes && this.#size > 0)
      this.#setAside()
    if (this.#descriptor !== undefined) return this.#descriptor
    mkdirSync(this.#options.folder, { recursive: true, mode: 0o700 })
    const descriptor = openSync(this.#path(), O_RDWR | O_APPEND | O_CREAT, 0o600)
    this.#descriptor = descriptor
    fchmodSync(descriptor, 0o600)
    this.#size = fstatSync(descriptor).size
    this.#endLastLine(descriptor)
    if (this.#size > 0 && this.#size + bytes > this.#options.fileBytes) {
      this.#setAside()
      return this.#open(bytes)
    }
    return descriptor
  }

  /** A power cut may have left half a line: what follows must not be part of it. */
  #endLastLine(descriptor: number): void {
    const last = Buffer.alloc(1)
    if (this.#size === 0 || readSync(descriptor, last, 0, 1, this.#size - 1) === 0 || last[0] === LINE_BREAK) return
    this.#size += writeSync(descriptor, '\n')
  }

  /** One rename, so that there is no moment at which a line is in no file. Where it fails, the file grows on. */
  #setAside(): void {
    const numbers = this.#numbers()
    try {
      renameSync(this.#path(), this.#path((numbers.at(-1) ?? 0) + 1))
    } catch {
      return
    }
    this.close()
    const surplus = numbers.length + 2 - this.#options.files
    for (const number of numbers.slice(0, Math.max(0, surplus))) rmSync(this.#path(number), { force: true })
    const { maxAgeMs } = this.#options
    if (maxAgeMs !== undefined) this.#removeOlder(Date.now() - maxAgeMs)
  }

  #removeOlder(thanMs: number): void {
    for (const number of this.#numbers()) {
      const changed = statSync(this.#path(number), { throwIfNoEntry: false })?.mtimeMs ?? thanMs
      if (changed < thanMs) rmSync(this.#path(number), { force: true })
    }
  }

  /** Half a line would spoil the next one; the file is opened anew, for it may not even be there any more. */
  #takeBack(descriptor: number): void {
    try {
      ftruncateSync(descriptor, this.#size)
    } catch {
      // Then the next opening ends the half line.
    }
    this.close()
  }

  /** Without a pause, so that no file can be set aside in between. */
  #openAll(): Opened[] {
    const opened: Opened[] = []
    for (const path of [...this.#numbers().map((number) => this.#path(number)), this.#path()]) {
      try {
        const descriptor = openSync(path, 'r')
        opened.push({ descriptor, size: fstatSync(descriptor).size })
      } catch {
        // There is none yet, or it cannot be read: the others still can.
      }
    }
    return opened
  }

  /** Of the files that were set aside, oldest first. */
  #numbers(): number[] {
    const { folder, name } = this.#options
    const pattern = new RegExp(`^${name}-(\\d+)\\.log$`)
    try {
      const numbers = readdirSync(folder).map((file) => Number(pattern.exec(file)?.[1]))
      return numbers.filter(Number.isInteger).sort((a, b) => a - b)
    } catch {
      return []
    }
  }

  #path(number?: number): string {
    const { folder, name } = this.#options
    return join(folder, number === undefined ? `${name}.log` : `${name}-${number}.log`)
  }
}

async function* inOrder(
  opened: readonly Opened[],
  linesOf: (file: Opened) => AsyncGenerator<string>,
): AsyncGenerator<string> {
  for (const file of opened) yield* linesOf(file)
}

async function* forwards({ descriptor, size }: Opened): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for (let at = 0; at < size; at += CHUNK_BYTES) {
    const bytes = Buffer.concat([rest, await chunk(descriptor, at, Math.min(size, at + CHUNK_BYTES))])
    const end = bytes.lastIndexOf(LINE_BREAK) + 1
    rest = kept(bytes.subarray(end))
    yield* linesIn(bytes.subarray(0, end))
  }
}

async function* backwards({ descriptor, size }: Opened): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for (let end = size; end > 0; end -= CHUNK_BYTES) {
    const at = Math.max(0, end - CHUNK_BYTES)
    const bytes = Buffer.concat([await chunk(descriptor, at, end), rest])
    // What stands before the first line break began in an earlier chunk.
    const begin = at === 0 ? 0 : bytes.indexOf(LINE_BREAK) + 1
    rest = kept(begin === 0 ? bytes : bytes.subarray(0, begin))
    if (at === 0 || begin > 0) yield* linesIn(bytes.subarray(begin)).reverse()
  }
}

/** No line of ours is as long as a chunk: what is, is not worth any memory. */
function kept(rest: Buffer): Buffer {
  return rest.length > CHUNK_BYTES ? Buffer.alloc(0) : rest
}

function linesIn(bytes: Buffer): string[] {
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
}

async function chunk(descriptor: number, from: number, to: number): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from)
  const { bytesRead } = await readAt(descriptor, bytes, 0, bytes.length, from)
  return bytes.subarray(0, bytesRead)
}
