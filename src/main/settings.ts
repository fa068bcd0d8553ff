/**
 * The settings of a start, read once: every `--some-thing` is HOLDFAST_SOME_THING as well, and the flag wins. The table
 * below is the only truth about them; types, defaults, checks, `--help` and the README's table derive from it. To add
 * a setting, add a row.
 *
 * Called by the programs in this room with their arguments and environment; nothing else reads either. It must never
 * touch the disk or the network, and never repeat a password: what it says ends up in logs.
 */
import { join } from 'node:path'
import { closest, distance } from 'fastest-levenshtein'
import {
  dataFolderByDefault,
  type Environment,
  type NamedEngine,
  type Parsed,
  type Place,
  type PortRange,
  parseClusterName,
  parseEngine,
  parseEtcd,
  parseFolder,
  parseListen,
  parsePassword,
  parsePort,
  parsePortOrOff,
  parsePortRange,
  parseSeconds,
  parseSwitch,
  parseUsername,
} from './setting-values.ts'

type Row<T> = {
  /** How `--help` writes the value; null for a switch that is on when it is named. */
  readonly value: string | null
  /** In words, for people; the default itself is computed by `byDefault`. */
  readonly defaultInWords: string
  readonly byDefault: (place: Place) => T
  readonly parse: (text: string, place: Place) => Parsed<T>
  readonly meaning: string
  /** May be given several times; the variable separates them by commas. */
  readonly isRepeatable?: true
  /** Never shown, not even when it is wrong. */
  readonly isSecret?: true
}

const table = {
  'data-dir': {
    value: 'FOLDER',
    defaultInWords: '`$XDG_DATA_HOME/holdfast`, else `~/.local/share/holdfast`',
    byDefault: dataFolderByDefault,
    parse: parseFolder,
    meaning: 'Where everything is kept: state, secrets, and the data of the databases. One instance per folder',
  } satisfies Row<string>,
  listen: {
    value: 'ADDRESS',
    defaultInWords: '`127.0.0.1`',
    byDefault: () => '127.0.0.1',
    parse: parseListen,
    meaning: 'The address, or a host name for it, of the API and of the databases. By default nobody else can connect',
  } satisfies Row<string>,
  'api-port': {
    value: 'PORT',
    defaultInWords: '`9443`',
    byDefault: () => 9443,
    parse: parsePort,
    meaning: 'The port of the HTTPS API; 9443 is where existing clients look for it',
  } satisfies Row<number>,
  'discovery-port': {
    value: 'PORT',
    defaultInWords: '`8001`',
    byDefault: (): number | null => 8001,
    parse: parsePortOrOff,
    meaning:
      'The port of the discovery service, which the Sentinel mode of clients asks where databases are; `off`: there is none',
  } satisfies Row<number | null>,
  'metrics-port': {
    value: 'PORT',
    defaultInWords: '`8070`',
    byDefault: (): number | null => 8070,
    parse: parsePortOrOff,
    meaning: 'The port where Prometheus finds metrics, `/metrics` and `/v2`; `off`: there are none',
  } satisfies Row<number | null>,
  'database-ports': {
    value: 'LOW-HIGH',
    defaultInWords: '`10000-19999`',
    byDefault: (): PortRange => ({ low: 10000, high: 19999 }),
    parse: parsePortRange,
    meaning: 'Where applications connect: databases that do not choose a port get one of these',
  } satisfies Row<PortRange>,
  'shard-ports': {
    value: 'LOW-HIGH',
    defaultInWords: '`20000-29999`',
    byDefault: (): PortRange => ({ low: 20000, high: 29999 }),
    parse: parsePortRange,
    meaning: 'Ports that shards use among themselves',
  } satisfies Row<PortRange>,
  username: {
    value: 'EMAIL',
    defaultInWords: '`admin@cluster.local`',
    byDefault: () => 'admin@cluster.local',
    parse: parseUsername,
    meaning: 'The first administrator, when bootstrapping. The API names users by e-mail address',
  } satisfies Row<string>,
  password: {
    value: 'PASSWORD',
    defaultInWords: 'generated, and kept in a file only you can read',
    byDefault: (): string | null => null,
    parse: parsePassword,
    meaning: 'Their password, when bootstrapping. Prefer the variable: every user of the machine can read flags',
    isSecret: true,
  } satisfies Row<string | null>,
  'cluster-name': {
    value: 'NAME',
    defaultInWords: '`cluster.local`',
    byDefault: () => 'cluster.local',
    parse: parseClusterName,
    meaning: 'The name of the cluster, when bootstrapping: a domain name, as it is the end of host names',
  } satisfies Row<string>,
  'no-bootstrap': {
    value: null,
    defaultInWords: 'off',
    byDefault: () => false,
    parse: parseSwitch,
    meaning: 'Do not make a cluster on the first start; wait for `POST /v1/bootstrap/create_cluster`',
  } satisfies Row<boolean>,
  'replace-key': {
    value: null,
    defaultInWords: 'off',
    byDefault: () => false,
    parse: parseSwitch,
    meaning: 'Seal all secrets under a new key at this start; the old key is forgotten then, and tokens end',
  } satisfies Row<boolean>,
  engine: {
    value: 'NAME=PATH',
    defaultInWords: 'those on the `PATH`',
    byDefault: (): readonly NamedEngine[] => [],
    parse: parseEngine,
    meaning:
      'One more engine, `redis=` or `valkey=` and the path of its server; repeat it, or separate by commas in the variable',
    isRepeatable: true,
  } satisfies Row<readonly NamedEngine[]>,
  'alert-period': {
    value: 'SECONDS',
    defaultInWords: '`10`',
    // A value must say the same two or three times in a row: a minute of trouble is told of, a second is not.
    byDefault: () => 10,
    parse: parseSeconds,
    meaning: 'How often alerts are looked at, from 0.1 s; values that go up and down count when they are seen twice',
  } satisfies Row<number>,
  etcd: {
    value: 'URL',
    defaultInWords: 'unset: the embedded store',
    byDefault: (): string | null => null,
    parse: parseEtcd,
    meaning: 'Keep the state in this etcd, `http://host:2379` or `https://…`, instead of a file in the data folder',
  } satisfies Row<string | null>,
} as const

type Table = typeof table
type SettingName = keyof Table
type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name

/** `dataDir`, `apiPort`, `databasePorts`, `noBootstrap` …: one for each row, under the row's name in camel case. */
export type Settings = { readonly [Name in SettingName as CamelCase<Name>]: ReturnType<Table[Name]['byDefault']> }

export type Reading =
  | { readonly ok: true; readonly settings: Settings }
  /** One line that names the setting as it was given, what was given, and what would be right. */
  | { readonly ok: false; readonly problem: string; readonly exitCode: 2 }
  /** `--help` was asked for: `problem` is the usage, to be printed, and nothing is wrong. */
  | { readonly ok: false; readonly problem: string; readonly exitCode: 0 }

type Given = { readonly source: string; readonly texts: readonly string[] }
type AnyRow = Row<unknown>

/** A setting as given, and what is wrong with it; caught by `readSettings`, the only one to see it. */
class Wrong extends Error {
  override name = 'Wrong'
}

export function readSettings(argv: readonly string[], env: Environment, folder: string = process.cwd()): Reading {
  if (argv.includes('--help') || argv.includes('-h')) return { ok: false, problem: usage(), exitCode: 0 }
  const place = { env, folder }
  try {
    const given = new Map([...givenByVariables(env), ...givenByFlags(argv)])
    const entries = names().map((name) => [camelCase(name), settle(name, given.get(name), place)] as const)
    // The rows' own types are what `Settings` is made of; this is the one place where they are put together.
    const settings = Object.fromEntries(entries) as unknown as Settings
    checkTogether(settings, (name) => given.get(name)?.source ?? `the default of ${flagOf(name)}`)
    return { ok: true, settings }
  } catch (error) {
    if (!(error instanceof Wrong)) throw error
    return { ok: false, problem: error.message, exitCode: 2 }
  }
}

/** The settings as a Markdown table, for the README. */
export function settingsTable(): string {
  const rows = names().map((name) => {
    const { value, defaultInWords, meaning } = rowOf(name)
    const flag = value === null ? flagOf(name) : `${flagOf(name)} ${value}`
    return `| \`${flag}\` | \`${variableOf(name)}\` | ${defaultInWords} | ${meaning}. |`
  })
  return ['| Flag | Variable | Default | Meaning |', '|---|---|---|---|', ...rows, ''].join('\n')
}

function usage(): string {
  const rows = names().flatMap((name) => {
    const { value, defaultInWords, meaning } = rowOf(name)
    const flag = value === null ? flagOf(name) : `${flagOf(name)} ${value}`
    return [`  ${flag}`, `      ${meaning}. Default: ${defaultInWords}.`.replaceAll('`', '')]
  })
  return [
    'Usage: npm start -- [settings], npm stop -- [settings]',
    '',
    'Each setting is an environment variable too: --api-port is HOLDFAST_API_PORT. A flag wins over its variable.',
    '',
    ...rows,
  ].join('\n')
}

function givenByVariables(env: Environment): [SettingName, Given][] {
  return names().flatMap((name): [SettingName, Given][] => {
    const source = variableOf(name)
    const text = env[source]
    if (text === undefined || text === '') return []
    return [[name, { source, texts: rowOf(name).isRepeatable ? text.split(',') : [text] }]]
  })
}

/** Of a flag that is given twice the last counts, unless it is one that may be repeated. */
function givenByFlags(argv: readonly string[]): Map<SettingName, Given> {
  const given = new Map<SettingName, Given>()
  for (let at = 0; at < argv.length; at += 1) {
    const word = argv[at] ?? ''
    if (!word.startsWith('--')) {
      // The word itself may be part of a password with a space in it, so it is not repeated.
      throw new Wrong(
        `argument ${at + 1} belongs to no setting: write --name value (after npm start, behind a lone --)`,
      )
    }
    const [flag = '', ...rest] = word.split('=')
    const name = knownName(flag)
    const row = rowOf(name)
    let text = rest.length > 0 ? rest.join('=') : undefined
    if (text === undefined && row.value === null) text = 'true'
    if (text === undefined) {
      at += 1
      text = argv[at]
      if (text === undefined || text.startsWith('--')) {
        throw new Wrong(
          `${flag} needs a value: ${flag} ${row.value}, or ${flag}=${row.value} where it begins with a dash`,
        )
      }
    }
    const before = row.isRepeatable ? (given.get(name)?.texts ?? []) : []
    given.set(name, { source: flag, texts: [...before, text] })
  }
  return given
}

function knownName(flag: string): SettingName {
  const known = names().find((name) => flagOf(name) === flag)
  if (known) return known
  const nearest = closest(flag, names().map(flagOf))
  const hint = distance(flag, nearest) <= 4 ? `did you mean ${nearest}?` : 'see --help'
  throw new Wrong(`${quote(flag)} is not a setting: ${hint}`)
}

function settle(name: SettingName, given: Given | undefined, place: Place): unknown {
  const row = rowOf(name)
  if (given === undefined) return row.byDefault(place)
  const values = given.texts.map((text) => {
    const parsed = row.parse(text, place)
    if ('value' in parsed) return parsed.value
    throw new Wrong(`${given.source} is ${row.isSecret ? 'refused:' : `${quote(text)}, but`} ${parsed.wrong}`)
  })
  return row.isRepeatable ? values.flat() : values[0]
}

// The longest path we make below the data folder; Linux takes 107 bytes for the path of a unix socket.
const longestSocket = join('shards', '999999', 'control.sock')
const socketPathLimitBytes = 107

function checkTogether(settings: Settings, source: (name: SettingName) => string): void {
  const spareBytes = socketPathLimitBytes - Buffer.byteLength(join(settings.dataDir, longestSocket))
  if (spareBytes < 0) {
    throw new Wrong(
      `${source('data-dir')} is ${quote(settings.dataDir)}, but its path must be ${-spareBytes} bytes shorter: unix sockets live in it`,
    )
  }
  const { apiPort, discoveryPort, metricsPort, databasePorts, shardPorts } = settings
  const ranges = [
    ['database-ports', databasePorts],
    ['shard-ports', shardPorts],
  ] as const
  const single = [
    ['api-port', apiPort],
    ['discovery-port', discoveryPort],
    ['metrics-port', metricsPort],
  ] as const
  for (const [index, [name, port]] of single.entries()) {
    const same = single.slice(0, index).find(([, other]) => port !== null && other === port)
    if (same) throw new Wrong(`${source(name)} is ${port}, but that is ${source(same[0])} too`)
  }
  for (const [name, range] of ranges) {
    for (const [other, port] of single) {
      if (port === null || port < range.low || port > range.high) continue
      throw new Wrong(
        `${source(name)} is ${range.low}-${range.high}, but ${source(other)} is ${port}: it must lie outside`,
      )
    }
  }
  if (databasePorts.low <= shardPorts.high && shardPorts.low <= databasePorts.high) {
    throw new Wrong(
      `${source('database-ports')} is ${databasePorts.low}-${databasePorts.high}, but ${source('shard-ports')} is ` +
        `${shardPorts.low}-${shardPorts.high}: they must share no port`,
    )
  }
}

function names(): SettingName[] {
  return Object.keys(table) as SettingName[]
}

function rowOf(name: SettingName): AnyRow {
  return table[name]
}

function flagOf(name: string): string {
  return `--${name}`
}

function variableOf(name: string): string {
  return `HOLDFAST_${name.toUpperCase().replaceAll('-', '_')}`
}

function camelCase(name: string): string {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
}

/** One line, whatever was given, and not a long one. */
function quote(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}
