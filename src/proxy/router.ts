/**
 * What becomes of a request that is not one of the simple ones: who may ask at all, whose session takes it, which
 * handler answers it. Callers: clients. A handler returns false when everything before must be answered first; it is
 * then asked again.
 */
import type { Client } from './client.ts'
import { clientCommand } from './client-commands.ts'
import { firstKeyIndex, type Treatment } from './command-table.ts'
import { runExclusively } from './exclusive.ts'
import { FAN_OUTS } from './fan-out.ts'
import { LOCAL_COMMANDS } from './local-commands.ts'
import { hashSlotOf, sendAnywhere, sendToSlot } from './passing.ts'
import { errorLine, lowerWord, type Request, wrongArguments } from './request.ts'
import { SPLITS } from './split.ts'
import { SUBSCRIPTIONS } from './subscriptions.ts'
import { TRANSACTIONS } from './transactions.ts'

export type Handler = (client: Client, request: Request) => boolean

/** What those who have not logged in may say. */
const FOR_STRANGERS = new Set(['auth', 'hello', 'quit', 'reset'])

const BY_TREATMENT: Readonly<Record<Treatment, Handler>> = {
  keyed: passByKey,
  blocking: (client, request) => (mayWait(request) ? runExclusively(client, request) : passByKey(client, request)),
  split: (client, request) => (SPLITS[request.name] ?? passByKey)(client, request),
  everywhere: (client, request) => (FAN_OUTS[request.name] ?? passAnywhere)(client, request),
  anywhere: passAnywhere,
  local: (client, request) => (LOCAL[request.name] ?? passAnywhere)(client, request),
  session: (client, request) => (SESSIONS[request.name] ?? passAnywhere)(client, request),
  refused: refuse,
}
const LOCAL: Readonly<Record<string, Handler>> = { ...LOCAL_COMMANDS, client: clientCommand }
const SESSIONS: Readonly<Record<string, Handler>> = { ...TRANSACTIONS, ...SUBSCRIPTIONS }

export function handleRequest(client: Client, request: Request): boolean {
  client.lastCommand = request.name
  if (!client.pool && !FOR_STRANGERS.has(request.name)) {
    client.reply(errorLine('NOAUTH Authentication required.'))
    return true
  }
  const taken = client.session?.take(client, request) ?? 'pass'
  if (taken !== 'pass') return taken
  const { command } = request
  return command ? BY_TREATMENT[command.treatment](client, request) : passAnywhere(client, request)
}

function passByKey(client: Client, request: Request): boolean {
  const { command, name, words } = request
  if (name === 'eval' || name === 'eval_ro') {
    const [, script] = words
    if (script) client.endpoint.scripts.add(script)
  }
  const index = command ? firstKeyIndex(command, words) : 0
  const key = words[index]
  if (index === 0 || !key) return passAnywhere(client, request)
  sendToSlot(client, hashSlotOf(key), request.raw)
  return true
}

/** Without a key: always the same shard, which also says what is wrong with a command that nobody knows. */
function passAnywhere(client: Client, request: Request): boolean {
  sendAnywhere(client, request.raw)
  return true
}

/** XREAD and XREADGROUP wait only when they are told to; the others always may. */
function mayWait(request: Request): boolean {
  if (!request.name.startsWith('xread')) return true
  return request.words.some((_, index) => lowerWord(request, index) === 'block')
}

function refuse(client: Client, request: Request): boolean {
  client.reply(
    request.words.length === 0
      ? wrongArguments(request.name)
      : errorLine(
          `ERR '${request.name}' is not available through this endpoint: it concerns one shard, not the database`,
        ),
  )
  return true
}
