/**
 * AUTH and HELLO: who a client is. Callers: the router. A shard itself says whether a name and a password are right, on
 * a connection that is opened as that user and then used for the client's requests; what it said is believed for a
 * moment, so that many clients of one user do not ask at once.
 */
import { encodeValue } from '#resp/encode.ts'
import type { RespValue } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { Client } from './client.ts'
import { type Identity, identityOf } from './identity.ts'
import type { Protocol } from './pool.ts'
import { errorLine, lowerWord, OK, type Request, textWord, wrongArguments } from './request.ts'

export function authenticate(client: Client, request: Request): boolean {
  const { length } = request.words
  if (length < 2) client.reply(wrongArguments('auth'))
  else if (length > 3) client.reply(errorLine('ERR syntax error'))
  else if (!client.isQuiet) return false
  else {
    const username = length === 3 ? textWord(request, 1) : 'default'
    const identity = identityOf(username, textWord(request, length - 1))
    void counted(
      client,
      logIn(client, identity, client.protocol, () => OK),
    )
  }
  return true
}

export function hello(client: Client, request: Request): boolean {
  if (!client.isQuiet) return false
  const wanted = readHello(request, client.protocol)
  if ('problem' in wanted) client.reply(errorLine(wanted.problem))
  else if (!wanted.identity && !client.pool)
    client.reply(
      errorLine(
        'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
      ),
    )
  else {
    const identity = wanted.identity ?? client.pool?.identity ?? client.endpoint.anybody
    const greet = () => {
      if (wanted.name !== undefined) client.name = wanted.name
      return greeting(client)
    }
    const greeted = logIn(client, identity, wanted.protocol, greet)
    // Without a name and a password it is no login, but another protocol.
    if (wanted.identity) void counted(client, greeted)
  }
  return true
}

type Hello = { protocol: Protocol; identity?: Identity; name?: string }

function readHello(request: Request, current: Protocol): Hello | { problem: string } {
  const { length } = request.words
  const version = length > 1 ? textWord(request, 1) : String(current)
  if (!/^-?\d+$/.test(version)) return { problem: 'ERR Protocol version is not an integer or out of range' }
  if (version !== '2' && version !== '3') return { problem: 'NOPROTO unsupported protocol version' }
  const wanted: Hello = { protocol: version === '2' ? 2 : 3 }
  for (let index = 2; index < length; ) {
    const option = lowerWord(request, index)
    if (option === 'auth' && index + 2 < length) {
      wanted.identity = identityOf(textWord(request, index + 1), textWord(request, index + 2))
      index += 3
    } else if (option === 'setname' && index + 1 < length) {
      const name = textWord(request, index + 1)
      if (!isName(name)) return { problem: NAME_PROBLEM }
      wanted.name = name
      index += 2
    } else return { problem: `ERR Syntax error in HELLO option '${textWord(request, index)}'` }
  }
  return wanted
}

export const NAME_PROBLEM = 'ERR Client names cannot contain spaces, newlines or special characters.'
export const isName = (name: string) => /^[!-~]*$/.test(name)

async function counted({ endpoint }: Client, isIn: Promise<boolean>): Promise<void> {
  if (await isIn) endpoint.logins++
  else endpoint.loginsRefused++
}

/** Resolves to whether the client is this user now. */
async function logIn(client: Client, identity: Identity, protocol: Protocol, answer: () => Buffer): Promise<boolean> {
  const { endpoint } = client
  const isSame = client.pool?.identity === identity && client.protocol === protocol
  if (!isSame) {
    client.hold()
    const pool = endpoint.join(identity, protocol)
    const problem = identity.password === null ? null : await verify(client, identity, pool)
    client.unhold()
    if (problem !== null || client.isClosed) {
      endpoint.leave(pool)
      if (problem !== null) client.reply(errorLine(problem))
      return problem === null
    }
    if (client.pool) endpoint.leave(client.pool)
    client.pool = pool
    client.protocol = protocol
  }
  client.reply(answer())
  return true
}

/** Null when it is right. */
async function verify(client: Client, identity: Identity, pool: Client['pool']): Promise<string | null> {
  const { endpoint } = client
  if (endpoint.verified.has(identity, endpoint.nowMs())) return null
  const shard = endpoint.anyShard()
  if (!shard || !pool) return 'CLUSTERDOWN no shard is there to verify the password'
  const connection = endpoint.control.acquireOutside(shard)
  const value = await ask(connection, ['AUTH', identity.username, identity.password ?? ''])
  connection.close('it is not needed any more')
  if (value.kind === 'error') return value.text
  endpoint.verified.add(identity, endpoint.nowMs())
  return null
}

/** What HELLO tells: one server, whatever is behind it. */
function greeting(client: Client): Buffer {
  const { server, version } = client.endpoint.engine
  const bulk = (text: string): RespValue => ({ kind: 'bulk', bytes: Buffer.from(text) })
  const facts: [string, RespValue][] = [
    ['server', bulk(server)],
    ['version', bulk(version)],
    ['proto', { kind: 'integer', value: client.protocol }],
    ['id', { kind: 'integer', value: client.id }],
    ['mode', bulk('standalone')],
    ['role', bulk('master')],
    ['modules', { kind: 'array', items: [] }],
  ]
  if (client.protocol === 3)
    return encodeValue({ kind: 'map', entries: facts.map(([name, value]) => [bulk(name), value]) })
  return encodeValue({ kind: 'array', items: facts.flatMap(([name, value]) => [bulk(name), value]) })
}
