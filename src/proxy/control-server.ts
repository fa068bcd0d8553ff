/**
 * How whoever runs this proxy speaks with it: a unix socket that only the owner of its folder can reach, and a line of
 * JSON each way. Callers: the program. That the connection ends tells the other side that the proxy did.
 *
 *     {"ask":"apply"}   take the configuration file over, then answer like "status"
 *     {"ask":"status"}  {"digest": SHA-256 of the file that is served, "problems": {"7": "…"}}
 *     {"ask":"end"}     end at once
 */
import { rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'

export type ProxyStatus = {
  readonly digest: string
  /** Why an endpoint cannot serve, by the uid of its database. */
  readonly problems: Readonly<Record<string, string>>
}

export type ControlHandlers = {
  apply(): Promise<ProxyStatus>
  status(): ProxyStatus
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
  const ask = askOf(line)
  if (ask === 'end') return handlers.end()
  const status = ask === 'apply' ? await handlers.apply() : ask === 'status' ? handlers.status() : { problem: 'what?' }
  if (socket.writable) socket.write(`${JSON.stringify(status)}\n`)
}

function askOf(line: string): unknown {
  try {
    return (JSON.parse(line) as { ask?: unknown }).ask
  } catch {
    return undefined
  }
}
