/**
 * Runs one command on a database, for people and tools that have no Redis client at hand. On several shards it is what a
 * client of the endpoint would see: the shard of the key is asked, or all of them. What belongs to the control
 * plane stays with it, and what never ends or holds a connection makes no sense over a request.
 */

import { apiStatus } from '#model/database/status.ts'
import { EngineRefusal } from '#plan/agent.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import { localAgent, type Parts } from '../parts.ts'
import { primariesOf } from './leaders.ts'
import { noSuchDatabase } from './read.ts'

const TIMEOUT_MS = 10_000

const FORBIDDEN: ReadonlyMap<string, string> = new Map([
  ...['shutdown', 'debug', 'failover', 'replicaof', 'slaveof', 'module', 'cluster', 'acl', 'migrate', 'save'].map(
    (name) => [name, 'it would take the process out of the control plane’s hands'] as const,
  ),
  ...[
    'monitor',
    'psync',
    'sync',
    'replconf',
    'subscribe',
    'psubscribe',
    'ssubscribe',
    'unsubscribe',
    'punsubscribe',
    'sunsubscribe',
    'client',
    'hello',
    'auth',
    'quit',
    'reset',
    'select',
    'multi',
    'exec',
    'discard',
    'watch',
    'unwatch',
  ].map((name) => [name, 'it only makes sense on a connection of one’s own'] as const),
])
/** These settings are the document's: change the database instead. */
const MANAGED_SETTINGS =
  /^(port|tls-|bind|unixsocket|dir|dbfilename|logfile|pidfile|acl|requirepass|masterauth|maxmemory$|maxmemory-policy|maxclients|save|append|rename-command|cluster-|replicaof|slaveof|client-output-buffer-limit|repl-backlog-size|tracking-table-max-keys|activedefrag|active-defrag-|include|loadmodule|daemonize|enable-|proc-title|set-proc-title)/

export async function runCommand(request: ApiRequest, parts: Parts): Promise<Answer> {
  const database = parts.state.databases.get(request.params.uid ?? '')
  if (!database) return noSuchDatabase(request.params.uid ?? '')
  const words = commandWords(request)
  checkAllowed(words)
  const status = apiStatus(database.value, parts.state.statuses.get(database.id)?.value)
  const [shard] = primariesOf(parts.state, database.value)
  if (!shard || status === 'pending' || status === 'creation-failed' || status === 'delete-pending') {
    return refuse('db_not_active', { description: `Database ${database.id} is ${status}.` })
  }
  try {
    const agent = localAgent(parts)
    const { uid, config } = database.value
    const response = config.sharding
      ? await agent.commandAtEndpoint(uid, words, TIMEOUT_MS)
      : await agent.command(shard.uid, words, TIMEOUT_MS)
    return { json: { response } }
  } catch (error) {
    if (error instanceof EngineRefusal)
      return refuse('command_failed', { field: 'command', description: error.message })
    const description = `The database did not answer the command: ${error instanceof Error ? error.message : error}.`
    return refuse('bdb_unavailable', { description })
  }
}

/** `{"command": "SET", "args": ["k", "v"]}`; the command may be of several words, as in "CONFIG GET". */
function commandWords(request: ApiRequest): string[] {
  const { command, args, ...rest } = objectBody(request.body)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; command and args are.`
    refuse('unknown_field', { field: unknown, description })
  }
  if (typeof command !== 'string' || command.trim() === '') {
    const description = 'command must be the name of a command, e.g. "PING".'
    return refuse(command === undefined ? 'missing_field' : 'invalid_field', { field: 'command', description })
  }
  if (args !== undefined && !Array.isArray(args)) {
    refuse('invalid_field', { field: 'args', description: 'args must be a list of strings.' })
  }
  const given = (args ?? []).map((arg: unknown, index: number) => {
    if (typeof arg === 'string' || typeof arg === 'number') return String(arg)
    return refuse('invalid_field', {
      field: `args[${index}]`,
      description: `args[${index}] must be a string or a number.`,
    })
  })
  return [...command.trim().split(/\s+/), ...given]
}

function checkAllowed(words: readonly string[]): void {
  const name = words[0]?.toLowerCase() ?? ''
  const sub = words[1]?.toLowerCase() ?? ''
  const why = FORBIDDEN.get(name)
  if (why !== undefined && !isHarmless(name, sub)) {
    refuse('command_failed', { field: 'command', description: `${name.toUpperCase()} cannot be run here: ${why}.` })
  }
  if (name !== 'config' || (sub !== 'set' && sub !== 'rewrite')) return
  const managed = words.slice(2).find((word, index) => index % 2 === 0 && MANAGED_SETTINGS.test(word.toLowerCase()))
  if (managed === undefined && sub === 'set') return
  const description = 'This setting belongs to the database object: PUT the database instead.'
  refuse('command_failed', { field: 'args', description })
}

function isHarmless(name: string, sub: string): boolean {
  if (name === 'acl') return sub === 'whoami' || sub === 'cat' || sub === 'dryrun'
  if (name === 'client') return sub === 'list' || sub === 'info' || sub === 'id'
  return name === 'cluster' && (sub === 'info' || sub === 'keyslot')
}
