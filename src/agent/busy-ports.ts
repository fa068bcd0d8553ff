/**
 * Which ports cannot be listened on right now, found out by trying: the only answer that takes everything into account
 * (other programs, other addresses, rights). Our own shards' ports are busy like any other. Callers: the planner,
 * through the agent, before it gives a port away. Nothing is reserved: the engine's own bind decides in the end.
 */
import { createServer } from 'node:net'

/** Well below any limit on open files, and enough to try ten thousand ports within a second. */
const AT_A_TIME = 64

/** Throws when nobody could listen at `host` at all: it is not an address of this machine. */
export async function findBusyPorts(host: string, ports: readonly number[]): Promise<number[]> {
  const busy: number[] = []
  for (let from = 0; from < ports.length; from += AT_A_TIME) {
    const some = ports.slice(from, from + AT_A_TIME)
    const taken = await Promise.all(some.map((port) => isBusy(host, port)))
    busy.push(...some.filter((_, at) => taken[at]))
  }
  return busy
}

function isBusy(host: string, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(true)
      else reject(new Error(`nobody can listen at ${host}:${port}`, { cause: error }))
    })
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(false)))
  })
}
