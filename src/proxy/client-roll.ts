/**
 * The clients of an endpoint that this process serves: chosen, told of, let go. Callers: the CLIENT commands, for a client
 * of this process or for one of another worker's.
 */
import type { ClientFace, Endpoint } from './endpoint.ts'
import type { Choice, ClientAnswer, ClientQuestion } from './peers.ts'

export async function answerOf(endpoint: Endpoint, question: ClientQuestion): Promise<ClientAnswer> {
  if (question.kind === 'unblock') {
    const isUnblocked = await endpoint.clients.get(question.id)?.unblock(question.withError)
    return { count: isUnblocked ? 1 : 0, lines: [] }
  }
  const nowMs = endpoint.nowMs()
  const chosen = [...endpoint.clients.values()].filter((one) => isMeant(one, question.choice, nowMs))
  if (question.kind === 'kill') for (const one of chosen) one.close()
  const lines = question.kind === 'list' ? chosen.map((one) => ({ id: one.id, line: describe(one, nowMs) })) : []
  return { count: chosen.length, lines }
}

export function isMeant(one: ClientFace, choice: Choice, nowMs: number): boolean {
  const { ids, address, localAddress, username, type, leastAgeSeconds, exceptId } = choice
  return (
    one.id !== exceptId &&
    (ids === undefined || ids.includes(one.id)) &&
    (address === undefined || one.address === address) &&
    (localAddress === undefined || one.localAddress === localAddress) &&
    (username === undefined || usernameOf(one) === username) &&
    (type === undefined || typeOf(one) === type) &&
    (leastAgeSeconds === undefined || ageSeconds(one.openedAt, nowMs) >= leastAgeSeconds)
  )
}

/** One line, in the form of the engine's own; what only makes sense behind the proxy is left out. */
export function describe(client: ClientFace, nowMs: number): string {
  return [
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} name=${client.name}`,
    `age=${ageSeconds(client.openedAt, nowMs)} idle=${ageSeconds(client.lastAt, nowMs)} flags=${flagsOf(client)} db=0`,
    `qbuf=${client.inputBytes} omem=${client.outputBytes} cmd=${client.lastCommand || 'NULL'}`,
    `user=${usernameOf(client)} resp=${client.protocol}`,
    `lib-name=${client.libraryName} lib-ver=${client.libraryVersion}`,
  ].join(' ')
}

function flagsOf(client: ClientFace): string {
  return `${client.isSubscribed ? 'P' : ''}${client.isBlocked ? 'b' : ''}${client.isNoEvict ? 'e' : ''}` || 'N'
}

function typeOf({ isSubscribed }: ClientFace) {
  return isSubscribed ? 'pubsub' : 'normal'
}

function usernameOf({ pool }: ClientFace): string {
  return pool?.identity.username ?? 'default'
}

function ageSeconds(sinceMs: number, nowMs: number): number {
  return Math.max(0, Math.floor((nowMs - sinceMs) / 1000))
}
