/**
 * Which engines this machine can run: those found on a search path, and those named by the operator. Callers: main,
 * once, before anything else starts; so all of them are asked at the same time (about 10 ms).
 *
 * An engine says itself what it is: a `redis-server` may be a link to Valkey. Of one version one build is
 * enough.
 */
import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export type EngineName = 'redis' | 'valkey'
export type DetectedEngine = {
  readonly name: EngineName
  readonly version: string
  readonly path: string
  /** Debian's build, for one, cannot defragment: it refuses `activedefrag yes`. */
  readonly activeDefrag: boolean
  /** Whether it was built with TLS. */
  readonly tls: boolean
}

export class EngineUnusable extends Error {
  override name = 'EngineUnusable'
}

const PROGRAMS = ['redis-server', 'valkey-server']
const TIMEOUT_MS = 5_000
const run = promisify(execFile)

/** `searchPath` as in PATH. A named engine that is unusable is an error; one that was merely found is passed over. */
export async function detectEngines(options: {
  readonly searchPath: string
  readonly named: readonly { readonly name: string; readonly path: string }[]
}): Promise<DetectedEngine[]> {
  const candidates = options.searchPath
    .split(':')
    .filter((folder) => folder.startsWith('/'))
    .flatMap((folder) => PROGRAMS.map((program) => join(folder, program)))
  const [named, found] = await Promise.all([
    Promise.all(options.named.map(({ name, path }) => askNamed(name, path))),
    Promise.all(candidates.map((path) => askEngine(path).catch(() => null))),
  ])
  const engines = new Map<string, DetectedEngine>()
  // Named ones come first and win: of two builds of one version the operator's choice is meant.
  for (const engine of [...named, ...found]) {
    if (engine && !engines.has(`${engine.name} ${engine.version}`))
      engines.set(`${engine.name} ${engine.version}`, engine)
  }
  return [...engines.values()]
}

async function askNamed(name: string, path: string): Promise<DetectedEngine> {
  const engine = await askEngine(path)
  if (engine.name !== name) throw new EngineUnusable(`${path} is ${engine.name} ${engine.version}, not ${name}`)
  return engine
}

export async function askEngine(path: string): Promise<DetectedEngine> {
  await access(path, constants.X_OK).catch((error: unknown) => unusable(path, error))
  const [version, activeDefrag, tls] = await Promise.all([
    askVersion(path),
    understands(path, 'activedefrag yes'),
    understands(path, 'tls-port 0'),
  ])
  // The path stays as it is: Debian's redis-server is a link to redis-check-rdb, and the program goes by its name.
  return { ...version, path, activeDefrag, tls }
}

async function askVersion(path: string): Promise<{ name: EngineName; version: string }> {
  const { stdout } = await run(path, ['--version'], { timeout: TIMEOUT_MS, env: {} }).catch((error: unknown) =>
    unusable(path, error),
  )
  const [, name, version] = /^(Redis|Valkey) server v=(\d+\.\d+\.\d+)/.exec(stdout) ?? []
  if (!name || !version)
    throw new EngineUnusable(`${path} is no engine: --version says ${JSON.stringify(stdout.slice(0, 80))}`)
  return { name: name === 'Redis' ? 'redis' : 'valkey', version }
}

/** The engine checks its configuration line by line and ends at the first bad one, so a second, bad line keeps it from running. */
function understands(path: string, directive: string): Promise<boolean> {
  return new Promise((resolve) => {
    const child = execFile(path, ['-'], { timeout: TIMEOUT_MS, env: {} }, (_error, stdout, stderr) => {
      resolve(/at line 2\b/.test(stdout + stderr))
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(`${directive}\nholdfast-is-only-asking yes\n`)
  })
}

function unusable(path: string, cause: unknown): never {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'it does not run'
  const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it may not be executed' : code
  throw new EngineUnusable(`${path} cannot be used as an engine: ${why}`, { cause })
}
