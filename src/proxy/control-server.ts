/**
 * How whoever runs this proxy speaks with it: a unix socket that only the owner of its folder can reach, and a line of
 * JSON each way. Callers: the program. That the connection ends tells the other side that the proxy did.
 *
 *     {"ask":"apply"}   take the configuration file over, then answer like "status"
 *     {"ask":"status"}  {"digest": SHA-256 of the file that is served, "problems": {"7": "…"}}
 *     {"ask":"counts","databases":[7]}  {"counts": [[7, {…}]]}: what was counted of their endpoints
 *     {"ask":"end"}     end at once
 */
import { rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import type { CountsOfAll } from './counts.ts'

export type ProxyStatus = {
  readonly digest: string
  /** Why an endpoint cannot serve, by the uid of its database. */
  readonly problems: Readonly<Record<string, string>>
}

export type ControlHandlers = {
  apply(): Promise<ProxyStatus>
  status(): ProxyStatus
  counts(databaseUids: readonly number[]): CountsOfAll | Promise<CountsOfAll>
  end(): void
}

/** Resolves when it listens. A socket that a predecessor left behind is replaced. */
export async function serveControl(path: string, handlers: ControlHandlers): Promise<void> {
  await rm(path, { force: true })
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    createInterface({ input: socket })
      .on('line', (line) => void answer(socket, line, handlers))
      .on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
}

async function answer(socket: Socket, line: string, handlers: ControlHandlers): Promise<void> {
  const question = questionOf(line)
  if (question.ask === 'end') return handlers.end()
  const reply = await replyTo(question, handlers)
  if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
}

type Question = { readonly ask?: unknown; readonly databases?: unknown }

async function replyTo({ ask, databases }: Question, handlers: ControlHandlers): Promise<object> {
  switch (ask) {
    case 'apply':
      return await handlers.apply()
    case 'status':
      return handlers.status()
    case 'counts':
      return { counts: await handlers.counts(Array.isArray(databases) ? databases.map(Number) : []) }
    default:
      return { problem: 'what?' }
  }
}

function questionOf(line: string): Question {
  try {
    return Object(JSON.parse(line))
  } catch {
    return {}
  }
}
