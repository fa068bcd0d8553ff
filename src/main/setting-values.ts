/**
 * The kinds of values that settings have: each function makes a value of what was typed, or says in the second half of
 * a sentence what would be right ("--api-port is "x", but …"). Only settings.ts calls them.
 */
import { isIP } from 'node:net'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'

export type PortRange = { readonly low: number; readonly high: number }
/** An engine that is not on the PATH; its version is asked of the program itself. */
export type NamedEngine = { readonly name: 'redis' | 'valkey'; readonly path: string }

export type Environment = { readonly [name: string]: string | undefined }
/** Where relative paths start, and the environment, for the home folder. */
export type Place = { readonly env: Environment; readonly folder: string }
export type Parsed<T> = { readonly value: T } | { readonly wrong: string }

export function dataFolderByDefault({ env }: Place): string {
  const shared = env.XDG_DATA_HOME ?? ''
  // The XDG specification says that a relative path there is to be ignored.
  return join(isAbsolute(shared) ? shared : join(homeOf(env), '.local', 'share'), 'holdfast')
}

export function parseFolder(text: string, { env, folder }: Place): Parsed<string> {
  if (text.trim() === '' || hasControlCharacter(text)) return { wrong: 'it must be the path of a folder' }
  return { value: resolve(folder, expandHome(text, env)) }
}

const hostName = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i

export function parseListen(text: string): Parsed<string> {
  // Digits and dots alone are an address that went wrong, never a name.
  if (isIP(text) !== 0 || (hostName.test(text) && !/^[\d.]+$/.test(text))) return { value: text }
  return { wrong: 'it must be an IP address such as 127.0.0.1 or ::1, or a host name' }
}

export function parsePort(text: string): Parsed<number> {
  const port = toPort(text)
  return port === null ? { wrong: 'a port is a number from 1 to 65535' } : { value: port }
}

/** Null: no port at all. */
export function parsePortOrOff(text: string): Parsed<number | null> {
  if (text === '0' || text.toLowerCase() === 'off') return { value: null }
  const port = toPort(text)
  return port === null ? { wrong: 'it must be a port from 1 to 65535, or off' } : { value: port }
}

export function parsePortRange(text: string): Parsed<PortRange> {
  const [low, high, ...more] = text.split('-').map((part) => toPort(part.trim()))
  if (low == null || high == null || more.length > 0) {
    return { wrong: 'it must be LOW-HIGH, two ports from 1 to 65535, such as 10000-19999' }
  }
  return low <= high ? { value: { low, high } } : { wrong: `the first must not be above the second: ${high}-${low}` }
}

function toPort(text: string): number | null {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0
  return port >= 1 && port <= 65535 ? port : null
}

// A colon would end the name in HTTP Basic authentication.
export function parseUsername(text: string): Parsed<string> {
  if (/^[^\s@:"<>\p{Cc}]+@[^\s@:"<>\p{Cc}]+$/u.test(text) && text.length <= 254) return { value: text }
  return { wrong: 'it must look like an e-mail address, such as admin@cluster.local' }
}

export function parsePassword(text: string): Parsed<string> {
  if (hasControlCharacter(text)) return { wrong: 'a password must not hold control characters, such as line ends' }
  return text.length >= 1 && text.length <= 256 ? { value: text } : { wrong: 'a password has 1 to 256 characters' }
}

export function parseClusterName(text: string): Parsed<string> {
  if (hostName.test(text) && text.length <= 64) return { value: text.toLowerCase() }
  return { wrong: 'it must be a domain name of at most 64 letters, digits, dashes and dots, such as cluster.local' }
}

const switchWords = new Map([
  ['1', true],
  ['true', true],
  ['yes', true],
  ['0', false],
  ['false', false],
  ['no', false],
])

export function parseSwitch(text: string): Parsed<boolean> {
  const value = switchWords.get(text.toLowerCase())
  return value === undefined ? { wrong: `it must be one of ${[...switchWords.keys()].join(', ')}` } : { value }
}

export function parseEngine(text: string, { env, folder }: Place): Parsed<readonly NamedEngine[]> {
  const [, name, path] = /^(redis|valkey)=(.+)$/.exec(text.trim()) ?? []
  if ((name !== 'redis' && name !== 'valkey') || path === undefined || hasControlCharacter(path)) {
    return { wrong: 'it must be redis=PATH or valkey=PATH, such as redis=/opt/redis-7.2/bin/redis-server' }
  }
  return { value: [{ name, path: resolve(folder, expandHome(path, env)) }] }
}

export function parseEtcd(text: string): Parsed<string> {
  const plain = text.replace(/\/$/, '')
  // The port is asked for, because an etcd never listens on the one that a URL has without it.
  if (URL.canParse(plain) && /^https?:\/\/[^/?#@\s]+:\d+$/.test(plain)) return { value: plain }
  return { wrong: 'it must be a URL with host and port, such as http://127.0.0.1:2379' }
}

export function parseSeconds(text: string): Parsed<number> {
  const seconds = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0
  return seconds >= 0.1 && seconds <= 3_600 ? { value: seconds } : { wrong: 'it must be a number from 0.1 to 3600' }
}

/** A shell expands `~/` in `--data-dir ~/x`, but neither in `--data-dir=~/x` nor in a unit file. */
function expandHome(path: string, env: Environment): string {
  return path === '~' || path.startsWith('~/') ? join(homeOf(env), path.slice(1)) : path
}

function homeOf(env: Environment): string {
  return env.HOME || homedir()
}

function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text)
}
