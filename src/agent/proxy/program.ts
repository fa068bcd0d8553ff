/**
 * Starting the proxy as a process that outlives us: a session of its own, its folder as its place, its output in a file.
 */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, openSync } from 'node:fs'
import { readLastWords } from '#engine/last-words.ts'
import { type ProxyFolder, SOCKET_NAME } from './folder.ts'

/** How the proxy is started on this machine. */
export type ProxyProgram = {
  /** The program and what comes before its own options. */
  readonly command: readonly [string, ...string[]]
  /** All that it may know of our environment. */
  readonly env: Readonly<Record<string, string>>
  /** Its processes that serve clients, as wanted at this moment. */
  readonly workers: () => number
  /** What its clients may need together, in bytes, as wanted at this moment; null: any amount. */
  readonly clientMemoryBytes: () => number | null
  /** Of the code that would be started now. */
  readonly build: string
}

export type StartedProxy = {
  hasEnded(): boolean
  lastWords(): Promise<string | null>
}

/** `keyPassphrase` opens the keys in its configuration. It goes where nobody else can read it: not into the arguments. */
export function startProxy(
  { command, env, workers }: ProxyProgram,
  folder: ProxyFolder,
  keyPassphrase: string,
): StartedProxy {
  const [program, ...args] = command
  const log = openSync(folder.log, 'a', 0o600)
  const { size: mark } = fstatSync(log)
  let isOver = false
  try {
    const options = ['--config', folder.config, '--control', SOCKET_NAME, '--workers', String(workers())]
    const passphrase = ['--key-passphrase-stdin']
    const child = spawn(program, [...args, ...options, ...passphrase], {
      cwd: folder.path,
      detached: true,
      env: { ...env },
      stdio: ['pipe', log, log],
    })
    child.unref()
    child.stdin?.on('error', () => undefined).end(keyPassphrase)
    child.once('exit', () => {
      isOver = true
    })
    child.once('error', () => {
      isOver = true
    })
  } finally {
    closeSync(log)
  }
  return { hasEnded: () => isOver, lastWords: () => readLastWords(folder.log, mark) }
}
