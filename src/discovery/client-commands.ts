/**
 * HELLO, AUTH, RESET and CLIENT: what clients say of themselves before they ask. Everybody may ask, as with a Sentinel that
 * has no password: what is told is names, addresses and ports, and no secret. A password that is sent is not looked at.
 */
import type { RespValue } from '#resp/value.ts'
import { type Answer, type Asked, type Client, type Command, isSubscribed } from './client.ts'
import { bulk, error, integer, list, map, NO_TEXT, OK, type Protocol, wrongArguments } from './replies.ts'

const FAST = ['noscript', 'loading', 'stale', 'fast', 'no_auth', 'sentinel'] as const
const SYNTAX = error('ERR syntax error')
const WRONG_NAME = error('ERR Client names cannot contain spaces, newlines or special characters.')
const WRONG_PASS = error('WRONGPASS invalid username-password pair or user is disabled.')
const NO_PASSWORD = error(
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
)
const LONGEST_NAME = 256

export const CLIENT_COMMANDS: Readonly<Record<string, Command>> = {
  hello: { arity: -1, flags: FAST, run: hello },
  auth: { arity: -2, flags: FAST, run: auth },
  reset: { arity: 1, flags: FAST, run: reset },
  client: { arity: -2, flags: ['noscript', 'loading', 'stale', 'sentinel'], run: client },
}

function hello({ client, service, words }: Asked): Answer {
  const [, version, ...options] = words
  if (version !== undefined && version !== '2' && version !== '3') {
    return /^\d+$/.test(version)
      ? error('NOPROTO unsupported protocol version')
      : error('ERR Protocol version is not an integer or out of range')
  }
  let name = client.name
  while (options.length > 0) {
    const [option = '', first, second] = options
    if (option.toLowerCase() === 'auth' && first !== undefined && second !== undefined) {
      if (first !== 'default') return WRONG_PASS
      options.splice(0, 3)
    } else if (option.toLowerCase() === 'setname' && first !== undefined) {
      if (!isName(first)) return WRONG_NAME
      name = first
      options.splice(0, 2)
    } else return error(`ERR Syntax error in HELLO option '${option.slice(0, 128)}'`)
  }
  client.name = name
  if (version !== undefined) client.protocol = protocolOf(version)
  return map({
    server: bulk('redis'),
    version: bulk(service.version),
    proto: integer(client.protocol),
    id: integer(client.id),
    mode: bulk('sentinel'),
    modules: list([]),
  })
}

function protocolOf(version: string): Protocol {
  return version === '3' ? 3 : 2
}

function auth({ words }: Asked): Answer {
  if (words.length > 3) return SYNTAX
  if (words.length === 2) return NO_PASSWORD
  return words[1] === 'default' ? OK : WRONG_PASS
}

function reset({ client }: Asked): Answer {
  client.protocol = 2
  client.name = ''
  client.channels.clear()
  client.patterns.clear()
  return { kind: 'status', text: 'RESET' }
}

function client(asked: Asked): Answer {
  const { client: self, words, service } = asked
  const [, subcommand = '', first, second] = words
  const takes = (count: number, answer: () => RespValue) =>
    words.length === count + 2 ? answer() : wrongArguments(`client|${subcommand.toLowerCase()}`)
  switch (subcommand.toLowerCase()) {
    case 'id':
      return takes(0, () => integer(self.id))
    case 'getname':
      return takes(0, () => (self.name === '' ? NO_TEXT : bulk(self.name)))
    case 'setname':
      return takes(1, () => {
        if (!isName(first ?? '')) return WRONG_NAME
        self.name = first ?? ''
        return OK
      })
    case 'setinfo':
      return takes(2, () => setInfo(self, first ?? '', second ?? ''))
    case 'info':
      return takes(0, () => bulk(`${describe(self, service.nowMs())}\n`))
    // There is nothing to evict, and nothing to touch.
    case 'no-evict':
    case 'no-touch':
      return takes(1, () => (/^(on|off)$/i.test(first ?? '') ? OK : SYNTAX))
    default:
      return error(`ERR unknown subcommand '${subcommand.slice(0, 128)}'. Clients may ask about themselves only.`)
  }
}

function setInfo(self: Client, attribute: string, value: string): RespValue {
  const name = attribute.toLowerCase()
  if (name !== 'lib-name' && name !== 'lib-ver') return error(`ERR Unrecognized option '${attribute.slice(0, 128)}'`)
  if (!isName(value)) return error(`ERR ${name} cannot contain spaces, newlines or special characters.`)
  if (name === 'lib-name') self.libraryName = value
  else self.libraryVersion = value
  return OK
}

function describe(self: Client, nowMs: number): string {
  const { id, address, name, openedAtMs, channels, patterns, protocol, libraryName, libraryVersion } = self
  return [
    `id=${id} addr=${address} name=${name} age=${Math.floor((nowMs - openedAtMs) / 1000)} idle=0`,
    `flags=${isSubscribed(self) ? 'P' : 'N'} db=0 sub=${channels.size} psub=${patterns.size} cmd=client|info`,
    `user=default resp=${protocol} lib-name=${libraryName} lib-ver=${libraryVersion}`,
  ].join(' ')
}

/** Nothing that could be taken for another field of a line. */
function isName(text: string): boolean {
  return /^[!-~]*$/.test(text) && text.length <= LONGEST_NAME
}
