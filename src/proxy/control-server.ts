/**
 * How whoever runs this proxy speaks with it: a unix socket that only the owner of its folder can reach, and a line of
 * JSON each way. Callers: the program. That the connection ends tells the other side that the proxy did.
 *
 *     {"ask":"apply"}   take the configuration file over, then answer like "status"
 *     {"ask":"status"}  {"digest": SHA-256 of the file that is served, "problems": {"7": "…"}, "build": "…",
 *                       "workers": 1}
 *     {"ask":"counts","databases":[7]}  {"counts": [[7, {…}]], "pids": [321, 322]}: what was counted of their endpoints, and
 *                       the processes that did, first the one that is asked
 *     {"ask":"replace","workers":2,"command":["node", "proxy.ts"]}  {"isReplaced": true}: a successor, started so, has the
 *                       listening sockets and this address; who is asked serves its clients to the end, and ends
 *     {"ask":"visit","database":7}  {"isIn": true}: from here on it is a client of this endpoint, in the clear, who has
 *                       not logged in; false: it is not served
 *     {"ask":"end"}     end at once
 */
import { rename } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface, type Interface } from 'node:readline'
import type { CountsOfAll } from './counts.ts'
import { stopReading } from './wire.ts'

export type ProxyStatus = {
  readonly digest: string
  /** Why an endpoint cannot serve, by the uid of its database. */
  readonly problems: Readonly<Record<string, string>>
  /** Of the code that serves. */
  readonly build: string
  readonly workers: number
}

/** How a successor is started: the program, with what comes before its own options. */
export type Succession = { readonly workers: number; readonly command: readonly string[] }

export type ControlHandlers = {
  apply(): Promise<ProxyStatus>
  status(): ProxyStatus
  counts(databaseUids: readonly number[]): CountsOfAll | Promise<CountsOfAll>
  pids(): readonly number[]
  /** False: there is none, and this one goes on as it was. */
  replace(succession: Succession): Promise<boolean>
  /** Makes a socket, which nobody may use afterwards, a client of the endpoint; null: it is not served. */
  visitor(databaseUid: number): ((socket: Socket) => void) | null
  /** Called when it has been told that the successor serves. */
  leave(): void
  end(): void
}

/**
 * Resolves when it listens. The address of a predecessor is taken over at once, so that there is somebody at any moment;
 * and since nobody's own name is that address, nobody removes it when they end.
 */
export async function serveControl(path: string, handlers: ControlHandlers): Promise<void> {
  const ownPath = `${path}.${process.pid}`
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    // Who asks tells the answers apart by their order.
    let turn: Promise<void> = Promise.resolve()
    const lines = createInterface({ input: socket })
    lines
      .on('line', (line) => {
        turn = turn.then(() => answer(socket, lines, line, handlers)).catch(() => void socket.destroy())
      })
      .on('error', () => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(ownPath, resolve)
  })
  await rename(ownPath, path)
}

async function answer(socket: Socket, lines: Interface, line: string, handlers: ControlHandlers): Promise<void> {
  const question = questionOf(line)
  if (question.ask === 'end') return handlers.end()
  if (question.ask === 'replace') return await replace(socket, question, handlers)
  if (question.ask === 'visit') return letIn(socket, lines, handlers.visitor(Number(question.database)))
  const reply = await replyTo(question, handlers)
  if (socket.writable) socket.write(`${JSON.stringify(reply)}\n`)
}

function letIn(socket: Socket, lines: Interface, enter: ((socket: Socket) => void) | null): void {
  if (enter) {
    // Whoever asks says nothing more before it has read the answer.
    lines.close()
    stopReading(socket)
  }
  socket.write(`${JSON.stringify({ isIn: enter !== null })}\n`, (error) => {
    if (!error) enter?.(socket)
  })
}

async function replace(socket: Socket, { workers, command }: Question, handlers: ControlHandlers): Promise<void> {
  const isMeant = Number.isInteger(workers) && Number(workers) > 0 && Array.isArray(command) && command.length > 1
  const isReplaced = isMeant && (await handlers.replace({ workers: Number(workers), command: command.map(String) }))
  const leave = () => isReplaced && handlers.leave()
  if (socket.writable) socket.write(`${JSON.stringify({ isReplaced })}\n`, leave)
  else leave()
}

type Question = {
  readonly ask?: unknown
  readonly databases?: unknown
  readonly database?: unknown
  readonly workers?: unknown
  readonly command?: unknown
}

async function replyTo({ ask, databases }: Question, handlers: ControlHandlers): Promise<object> {
  switch (ask) {
    case 'apply':
      return await handlers.apply()
    case 'status':
      return handlers.status()
    case 'counts':
      return {
        counts: await handlers.counts(Array.isArray(databases) ? databases.map(Number) : []),
        pids: handlers.pids(),
      }
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
