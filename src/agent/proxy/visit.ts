/**
 * A connection to an endpoint for ourselves, in at the proxy's control socket: no certificate and no limit keeps it out.
 * Callers: the agent, which logs in over it like any client.
 */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connectUnix } from '#engine/unix-socket.ts'
import { StepFailed } from '#plan/agent.ts'

/** Rejects with StepFailed when the endpoint is not served. */
export async function visitEndpoint(controlPath: string, databaseUid: number, timeoutMs: number): Promise<Socket> {
  const socket = await connectUnix(controlPath).catch(() => null)
  if (socket && (await isLetIn(socket, databaseUid, timeoutMs))) return socket
  socket?.destroy()
  throw new StepFailed('missing', `the endpoint of database ${databaseUid} is not served`)
}

/** The answer is all that is said before we go on. */
async function isLetIn(socket: Socket, databaseUid: number, timeoutMs: number): Promise<boolean> {
  socket.on('error', () => undefined)
  socket.write(`${JSON.stringify({ ask: 'visit', database: databaseUid })}\n`)
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    for (let answer = ''; ; ) {
      answer += (await once(socket, 'data', { signal }))[0]
      if (answer.endsWith('\n')) return Object(JSON.parse(answer)).isIn === true
    }
  } catch {
    return false
  }
}
