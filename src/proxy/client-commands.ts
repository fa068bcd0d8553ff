/**
 * The CLIENT commands: about the clients of this endpoint, not about the connections behind it. Callers: the router.
 */
import type { Client } from './client.ts'
import type { ClientFace } from './endpoint.ts'
import { bulk } from './local-commands.ts'
import { isName, NAME_PROBLEM } from './login.ts'
import { errorLine, lowerWord, OK, type Request, textWord, wrongArguments } from './request.ts'
import { cachingCommand, trackingCommand } from './tracking.ts'

const integer = (value: number) => Buffer.from(`:${value}\r\n`)
const SYNTAX = errorLine('ERR syntax error')

/** One line, in the form of the engine's own; what only makes sense behind the proxy is left out. */
function describe(client: ClientFace, nowMs: number): string {
  const seconds = (since: number) => Math.max(0, Math.floor((nowMs - since) / 1000))
  return [
    `id=${client.id} addr=${client.address} name=${client.name}`,
    `age=${seconds(client.openedAt)} idle=${seconds(client.lastAt)} flags=${client.isNoEvict ? 'e' : 'N'} db=0`,
    `qbuf=${client.inputBytes} omem=${client.outputBytes} cmd=${client.lastCommand || 'NULL'}`,
    `user=${client.pool?.identity.username ?? 'default'} resp=${client.protocol}`,
    `lib-name=${client.libraryName} lib-ver=${client.libraryVersion}`,
  ].join(' ')
}

function list(client: Client, request: Request): Buffer {
  const option = lowerWord(request, 2)
  const { clients, nowMs } = client.endpoint
  let chosen = [...clients.values()]
  if (option === 'id') {
    const ids = new Set(request.words.slice(3).map((word) => Number(word.toString())))
    if ([...ids].some((id) => !Number.isSafeInteger(id) || id < 1)) return errorLine('ERR Invalid client ID')
    chosen = chosen.filter(({ id }) => ids.has(id))
  } else if (option === 'type') {
    const type = lowerWord(request, 3)
    if (!['normal', 'master', 'replica', 'slave', 'pubsub'].includes(type))
      return errorLine(`ERR Unknown client type '${textWord(request, 3)}'`)
    if (type !== 'normal') chosen = []
  } else if (option !== '') return SYNTAX
  return bulk(chosen.map((one) => `${describe(one, nowMs())}\n`).join(''))
}

type Filter = (one: ClientFace) => boolean

/** CLIENT KILL address, or pairs of a filter and a value; null when they make no sense. */
function killFilter(client: Client, request: Request): { filter: Filter; spares: boolean } | null {
  const filters: Filter[] = []
  let spares = true
  for (let index = 2; index < request.words.length; index += 2) {
    const value = textWord(request, index + 1)
    if (index + 1 >= request.words.length) return null
    switch (lowerWord(request, index)) {
      case 'id':
        filters.push((one) => one.id === Number(value))
        break
      case 'addr':
        filters.push((one) => one.address === value)
        break
      case 'user':
        filters.push((one) => (one.pool?.identity.username ?? 'default') === value)
        break
      case 'maxage':
        filters.push((one) => client.endpoint.nowMs() - one.openedAt >= Number(value) * 1000)
        break
      case 'type':
        filters.push(() => value.toLowerCase() === 'normal')
        break
      case 'skipme':
        spares = value.toLowerCase() === 'yes'
        break
      default:
        return null
    }
  }
  return { filter: (one) => filters.every((filter) => filter(one)), spares }
}

function kill(client: Client, request: Request): Buffer {
  const all = [...client.endpoint.clients.values()]
  if (request.words.length === 3) {
    const found = all.find(({ address }) => address === textWord(request, 2))
    if (!found) return errorLine('ERR No such client')
    end(client, found)
    return OK
  }
  const wanted = killFilter(client, request)
  if (!wanted) return SYNTAX
  const chosen = all.filter((one) => wanted.filter(one) && !(wanted.spares && one.id === client.id))
  for (const one of chosen) end(client, one)
  return integer(chosen.length)
}

/** Whoever ends itself hears so first. */
function end(client: Client, other: ClientFace): void {
  if (other.id === client.id) setImmediate(() => client.endAfterReplies())
  else other.close()
}

function setInfo(client: Client, request: Request): Buffer {
  const value = textWord(request, 3)
  const attribute = lowerWord(request, 2)
  if (request.words.length !== 4) return wrongArguments('client|setinfo')
  if (!isName(value)) return errorLine(`ERR ${attribute} cannot contain spaces, newlines or special characters.`)
  if (attribute === 'lib-name') client.libraryName = value
  else if (attribute === 'lib-ver') client.libraryVersion = value
  else return errorLine(`ERR Unrecognized option '${textWord(request, 2)}'`)
  return OK
}

function setName(client: Client, request: Request): Buffer {
  if (request.words.length !== 3) return wrongArguments('client|setname')
  const name = textWord(request, 2)
  if (!isName(name)) return errorLine(NAME_PROBLEM)
  client.name = name
  return OK
}

function unblock(client: Client, request: Request): Buffer {
  const id = Number(textWord(request, 2))
  const how = lowerWord(request, 3)
  if (!Number.isSafeInteger(id)) return errorLine('ERR value is not an integer or out of range')
  if (how !== '' && how !== 'timeout' && how !== 'error')
    return errorLine('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  return integer(client.endpoint.clients.get(id)?.unblock(how === 'error') ? 1 : 0)
}

function setReplies(client: Client, request: Request): boolean {
  const how = lowerWord(request, 2)
  if (how === 'on') {
    client.answers.mode = 'on'
    client.reply(OK)
  } else if (how === 'off') client.answers.mode = 'off'
  else if (how === 'skip') {
    if (client.answers.mode === 'on') client.answers.mode = 'skip-next'
  } else client.reply(SYNTAX)
  return true
}

function onOff(request: Request, set: (on: boolean) => void): Buffer {
  const word = lowerWord(request, 2)
  if (word !== 'on' && word !== 'off') return SYNTAX
  set(word === 'on')
  return OK
}

const SUBCOMMANDS: Readonly<Record<string, (client: Client, request: Request) => Buffer>> = {
  id: (client) => integer(client.id),
  info: (client) => bulk(`${describe(client, client.endpoint.nowMs())}\n`),
  list,
  kill,
  getname: (client) =>
    client.name === '' && client.protocol === 3
      ? Buffer.from('_\r\n')
      : client.name === ''
        ? Buffer.from('$-1\r\n')
        : bulk(client.name),
  setname: setName,
  setinfo: setInfo,
  unblock,
  getredir: (client) => integer(client.tracking ? 0 : -1),
  'no-evict': (client, request) =>
    onOff(request, (on) => {
      client.isNoEvict = on
    }),
  'no-touch': () => errorLine('ERR CLIENT NO-TOUCH is not available through this endpoint: connections are shared'),
  pause: () => errorLine('ERR CLIENT PAUSE is not available through this endpoint: stop the traffic of the database'),
}

export function clientCommand(client: Client, request: Request): boolean {
  const name = lowerWord(request, 1)
  if (name === 'reply') return setReplies(client, request)
  if (name === 'tracking') return trackingCommand(client, request)
  if (name === 'caching') return cachingCommand(client, request)
  const answer = Object.hasOwn(SUBCOMMANDS, name) ? SUBCOMMANDS[name] : undefined
  if (request.words.length < 2) client.reply(wrongArguments('client'))
  else if (answer) client.reply(answer(client, request))
  else
    client.reply(
      errorLine(`ERR Unknown subcommand or wrong number of arguments for '${textWord(request, 1)}'. Try CLIENT HELP.`),
    )
  return true
}
