/**
 * What the proxy answers itself, since it is the server that its clients see: greetings, and the cluster commands, of
 * which there are none on a single server. Where clients may know of the shards, any shard says where all of them are.
 * Callers: the router.
 */
import type { Client } from './client.ts'
import { authenticate, hello } from './login.ts'
import { sendAnywhere } from './passing.ts'
import { errorLine, lowerWord, OK, type Request, wrongArguments } from './request.ts'

type Handler = (client: Client, request: Request) => boolean

const PONG = Buffer.from('+PONG\r\n')
const NO_CLUSTER = errorLine('ERR This instance has cluster support disabled')
const NOT_OF_ALL = errorLine('ERR This cluster command concerns one shard: ask the shard itself')

export function bulk(bytes: Buffer | string): Buffer {
  const content = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
  return Buffer.concat([Buffer.from(`$${content.length}\r\n`), content, Buffer.from('\r\n')])
}

const answer =
  (make: (client: Client, request: Request) => Buffer): Handler =>
  (client, request) => {
    client.reply(make(client, request))
    return true
  }

function ping(_client: Client, request: Request): Buffer {
  const [, text, ...more] = request.words
  if (more.length > 0) return wrongArguments('ping')
  return text ? bulk(text) : PONG
}

function echo(_client: Client, request: Request): Buffer {
  const [, text, ...more] = request.words
  return text && more.length === 0 ? bulk(text) : wrongArguments('echo')
}

function select(_client: Client, request: Request): Buffer {
  if (request.words.length !== 2) return wrongArguments('select')
  const index = lowerWord(request, 1)
  if (!/^-?\d+$/.test(index)) return errorLine('ERR value is not an integer or out of range')
  return index === '0' ? OK : errorLine('ERR DB index is out of range')
}

function quit(client: Client): boolean {
  client.reply(OK)
  client.endAfterReplies()
  return true
}

/** What is true of the whole cluster; the others concern one shard, and are asked there. */
const CLUSTER_QUESTIONS = new Set(['help', 'info', 'keyslot', 'nodes', 'shards', 'slots'])

function cluster(client: Client, request: Request): boolean {
  const question = lowerWord(request, 1)
  if (!client.endpoint.config.speaksCluster) client.reply(NO_CLUSTER)
  else if (request.words.length < 2) client.reply(wrongArguments('cluster'))
  else if (CLUSTER_QUESTIONS.has(question)) sendAnywhere(client, request.raw)
  else client.reply(NOT_OF_ALL)
  return true
}

/** Replicas are not read through the endpoint; cluster clients say so to whomever they connect to. */
const readMode = answer(({ endpoint }) => (endpoint.config.speaksCluster ? OK : NO_CLUSTER))

/** Back to what a new connection is. */
export function reset(client: Client): boolean {
  if (!client.isQuiet) return false
  client.session?.close()
  client.session = null
  for (const companion of client.companions) companion.close()
  client.companions.clear()
  client.name = ''
  client.answers.mode = 'on'
  client.protocol = 2
  client.isNoEvict = false
  const { endpoint } = client
  if (client.pool) endpoint.leave(client.pool)
  client.pool = endpoint.isOpen ? endpoint.join(endpoint.anybody, 2) : null
  client.reply(Buffer.from('+RESET\r\n'))
  return true
}

export const LOCAL_COMMANDS: Readonly<Record<string, Handler>> = {
  ping: answer(ping),
  echo: answer(echo),
  select: answer(select),
  quit,
  reset,
  auth: authenticate,
  hello,
  cluster,
  readonly: readMode,
  readwrite: readMode,
}
