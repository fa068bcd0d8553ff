// The programs of the machine itself that Holdfast runs: an engine always; for the tests also an etcd, an LDAP server and
// the clients that a user would have. What is missing comes from Debian, in one go, where we are or may become root.

import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { projectRoot } from './places.mjs'
import { CannotGoOn, say, seconds } from './say.mjs'

const engine = {
  isThere: () => isOnPath('redis-server') || isOnPath('valkey-server'),
  packageName: 'redis-server',
  otherwise: 'redis-server or valkey-server (or name one: --engine redis=/path/to/redis-server)',
}
/** Debian's own, which sees Debian's modules; another one may come first on the PATH. */
const python = '/usr/bin/python3'
/** In a folder that only root has on its PATH. */
const slapd = '/usr/sbin/slapd'
const onlyForTests = [
  { isThere: () => isOnPath('etcd'), packageName: 'etcd-server', otherwise: 'etcd' },
  { isThere: () => isOnPath('curl'), packageName: 'curl', otherwise: 'curl' },
  { isThere: () => isOnPath('openssl'), packageName: 'openssl', otherwise: 'openssl' },
  { isThere: () => existsSync(slapd), packageName: 'slapd', otherwise: `slapd (${slapd})` },
  { isThere: () => isOnPath('python3'), packageName: 'python3', otherwise: 'python3' },
  {
    isThere: () => canImport('python3', 'requests'),
    packageName: 'python3-requests',
    otherwise: 'the requests module for python3',
  },
  {
    isThere: () => canImport(python, 'redis'),
    packageName: 'python3-redis',
    otherwise: `the redis module for ${python}`,
  },
]

const loadMaker = { isThere: () => isOnPath('wrk'), packageName: 'wrk', otherwise: 'wrk' }
/** Like slapd, in a folder that only root has on its PATH. */
const otherProxies = [
  { isThere: () => existsSync('/usr/sbin/nutcracker'), packageName: 'nutcracker', otherwise: 'nutcracker' },
  { isThere: () => existsSync('/usr/sbin/haproxy'), packageName: 'haproxy', otherwise: 'haproxy' },
]
const tcl = { isThere: () => isOnPath('tclsh'), packageName: 'tcl', otherwise: 'tclsh' }
const metricsReader = { isThere: () => isOnPath('prometheus'), packageName: 'prometheus', otherwise: 'prometheus' }
const toolsFor = {
  none: [],
  engine: [engine],
  test: [engine, ...onlyForTests],
  bench: [engine, loadMaker, ...otherProxies],
  suite: [engine, tcl],
  dashboards: [engine, metricsReader],
}

/** `which`: a name in `toolsFor`. */
export async function readyTools(which, args) {
  if (which === 'none' || (which === 'engine' && (namesEngine(args) || args.includes('--help')))) return
  const missing = []
  for (const tool of toolsFor[which]) if (!(await tool.isThere())) missing.push(tool)
  if (missing.length === 0) return

  const names = missing.map((tool) => tool.packageName).join(', ')
  const root = await waysToBeRoot()
  if (!isOnPath('apt-get') || !root) {
    const why = isOnPath('apt-get') ? 'needs root or sudo' : 'needs apt-get'
    throw new CannotGoOn(
      `not found: ${missing.map((tool) => tool.otherwise).join('; ')}. Installing ${names} from Debian ${why}: do it first`,
    )
  }
  const startedAt = Date.now()
  say(
    `not found: ${missing.map((tool) => tool.otherwise).join('; ')}. Installing Debian's ${names}, without starting any service …`,
  )
  const { withLock } = await import('./install.mjs')
  await withLock(() => install(root, missing))
  for (const tool of missing) {
    if (!(await tool.isThere()))
      throw new CannotGoOn(`${tool.packageName} was installed, but still not found: ${tool.otherwise}`)
  }
  say(`${names}: installed, ${seconds(startedAt)}`)
}

async function install(root, missing) {
  const { spawnSync } = await import('node:child_process')
  const script = join(projectRoot, 'launcher', 'apt-install.sh')
  const [command, ...args] = [...root, 'sh', script, ...missing.map((tool) => tool.packageName)]
  const done = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })
  if (done.status === 0) return
  process.stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}`)
  throw new CannotGoOn(`apt-get could not install ${missing.map((tool) => tool.packageName).join(', ')}, see above`)
}

/** The words to put before a command so that root runs it; null where that is impossible without asking. */
async function waysToBeRoot() {
  if (process.getuid?.() === 0) return []
  if (!isOnPath('sudo')) return null
  const { spawnSync } = await import('node:child_process')
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo', '-n']
  return process.stdin.isTTY ? ['sudo'] : null // sudo asks for the password on the terminal
}

function namesEngine(args) {
  return (
    Boolean(process.env.HOLDFAST_ENGINE) || args.some((word) => word === '--engine' || word.startsWith('--engine='))
  )
}

async function canImport(interpreter, module) {
  const { spawnSync } = await import('node:child_process')
  return spawnSync(interpreter, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0
}

function isOnPath(name) {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      const path = join(folder, name)
      accessSync(path, constants.X_OK)
      return folder !== '' && statSync(path).isFile()
    } catch {
      return false
    }
  })
}
