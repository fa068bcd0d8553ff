/**
 * The CLIENT commands: about the clients of this endpoint, whichever process serves them, and not about the
 * connections behind it. Callers: the router.
 */
import type { Client } from './client.ts'
import { answerOf, describe, isMeant } from './client-roll.ts'
import { bulk } from './local-commands.ts'
import { isName, NAME_PROBLEM } from './login.ts'
import type { Choice, ClientAnswer, ClientQuestion, ClientType } from './peers.ts'
import { errorLine, lowerWord, OK, type Request, textWord, wrongArguments } from './request.ts'
import { cachingCommand, trackingCommand } from './tracking.ts'

const integer = (value: number) => Buffer.from(`:${value}\r\n`)
const SYNTAX = errorLine('ERR syntax error')

/** Asked of the clients of this process and of those of every other that serves the endpoint. */
function ofAll(
  client: Client,
  question: ClientQuestion,
  reply: (answers: readonly ClientAnswer[], isMe: boolean) => Buffer,
): void {
  const { endpoint } = client
  // Whoever ends itself hears so first.
  const isMe = question.kind === 'kill' && isMeant(client, question.choice, endpoint.nowMs())
  const other = isMe ? { ...question, choice: { ...question.choice, exceptId: client.id } } : question
  const pending = client.enqueue()
  const asked = [answerOf(endpoint, other), endpoint.peers.ask(endpoint.config.databaseUid, other)]
  void Promise.all(asked).then((answers) => {
    client.complete(pending, reply(answers.flat(), isMe))
    if (isMe) setImmediate(() => client.endAfterReplies())
  })
}

const countOf = (answers: readonly ClientAnswer[]) => answers.reduce((sum, { count }) => sum + count, 0)

function list(client: Client, request: Request): Buffer | null {
  const option = lowerWord(request, 2)
  let choice: Choice = {}
  if (option === 'id' && request.words.length > 3) {
    const ids = request.words.slice(3).map((word) => Number(word.toString()))
    if (!ids.every(isPositive)) return errorLine('ERR Invalid client ID')
    choice = { ids }
  } else if (option === 'type' && request.words.length === 4) {
    const type = typeNamed(lowerWord(request, 3))
    if (!type) return unknownType(textWord(request, 3))
    choice = { type }
  } else if (option !== '') return SYNTAX
  ofAll(client, { kind: 'list', choice }, (answers) => {
    const lines = answers.flatMap((answer) => answer.lines).sort((one, other) => one.id - other.id)
    return bulk(lines.map(({ line }) => `${line}\n`).join(''))
  })
  return null
}

const isPositive = (value: number) => Number.isSafeInteger(value) && value > 0
const unknownType = (name: string) => errorLine(`ERR Unknown client type '${name}'`)
const typeNamed = (name: string): ClientType | undefined =>
  name === 'normal' || name === 'pubsub'
    ? name
    : ['master', 'replica', 'slave', 'primary'].includes(name)
      ? 'replication'
      : undefined

/** Pairs of a filter and a value; an error when they make no sense. */
function killChoice(client: Client, request: Request): Choice | Buffer {
  let choice: Choice = { exceptId: client.id }
  for (let index = 2; index < request.words.length; index += 2) {
    const value = textWord(request, index + 1)
    if (index + 1 >= request.words.length) return SYNTAX
    switch (lowerWord(request, index)) {
      case 'id':
        if (!isPositive(Number(value))) return errorLine('ERR client-id should be greater than 0')
        choice = { ...choice, ids: [Number(value)] }
        break
      case 'addr':
        choice = { ...choice, address: value }
        break
      case 'laddr':
        choice = { ...choice, localAddress: value }
        break
      case 'user':
        choice = { ...choice, username: value }
        break
      case 'maxage':
        if (!isPositive(Number(value))) return errorLine('ERR maxage should be greater than 0')
        choice = { ...choice, leastAgeSeconds: Number(value) }
        break
      case 'type': {
        const type = typeNamed(value.toLowerCase())
        if (!type) return unknownType(value)
        choice = { ...choice, type }
        break
      }
      case 'skipme': {
        const { exceptId: _me, ...everybody } = choice
        if (!['yes', 'no'].includes(value.toLowerCase())) return SYNTAX
        choice = value.toLowerCase() === 'yes' ? { ...everybody, exceptId: client.id } : everybody
        break
      }
      default:
        return SYNTAX
    }
  }
  return choice
}

function kill(client: Client, request: Request): Buffer | null {
  if (request.words.length < 3) return wrongArguments('client|kill')
  if (request.words.length === 3) {
    const choice = { address: textWord(request, 2) }
    ofAll(client, { kind: 'kill', choice }, (answers, isMe) =>
      isMe || countOf(answers) > 0 ? OK : errorLine('ERR No such client'),
    )
    return null
  }
  const choice = killChoice(client, request)
  if (Buffer.isBuffer(choice)) return choice
  ofAll(client, { kind: 'kill', choice }, (answers, isMe) => integer(countOf(answers) + (isMe ? 1 : 0)))
  return null
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

function unblock(client: Client, request: Request): Buffer | null {
  const id = Number(textWord(request, 2))
  const how = lowerWord(request, 3)
  if (!Number.isSafeInteger(id)) return errorLine('ERR value is not an integer or out of range')
  if (how !== '' && how !== 'timeout' && how !== 'error')
    return errorLine('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR')
  ofAll(client, { kind: 'unblock', id, withError: how === 'error' }, (answers) => integer(countOf(answers)))
  return null
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

/** Null: the answer comes. */
const SUBCOMMANDS: Readonly<Record<string, (client: Client, request: Request) => Buffer | null>> = {
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
  else if (answer) {
    const reply = answer(client, request)
    if (reply) client.reply(reply)
  } else
    client.reply(
      errorLine(`ERR Unknown subcommand or wrong number of arguments for '${textWord(request, 1)}'. Try CLIENT HELP.`),
    )
  return true
}
