/**
 * The way back: answers, and the one place where an error of any kind becomes something that a caller can read.
 */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { type Duplex, pipeline } from 'node:stream'
import { StoreTrouble } from '#store/contract.ts'
import { errorBody, Refusal, type RefusalCode } from '../errors.ts'
import { isRead, recordCarriedOut, recordRefused } from '../events/answered.ts'
import type { Parts } from '../parts.ts'
import type { Exchange } from './exchange.ts'
import type { Answer, FileAnswer } from './route.ts'

export function sendAnswer(parts: Parts, exchange: Exchange, answer: Answer): void {
  if ('file' in answer) {
    sendFile(parts, exchange, answer)
    return
  }
  if ('redirect' in answer) {
    finish(parts, exchange, 302, '', { location: answer.redirect, 'cache-control': 'no-store' })
    return
  }
  const { json, headers } = answer
  if (!isRead(exchange)) recordCarriedOut(parts, exchange, answer)
  finish(parts, exchange, 200, json === null ? '' : isReady(json) ? json : JSON.stringify(json), headers)
}

function sendFile(parts: Parts, exchange: Exchange, { file, name, headers }: FileAnswer): void {
  const { request, response, route } = exchange
  response.writeHead(200, {
    server: 'holdfast',
    'content-type': route?.file ?? (route?.answers ? 'application/json' : 'application/octet-stream'),
    ...(name !== null && { 'content-disposition': `attachment; filename=${name}` }),
    ...headers,
    'cluster-state-id': String(parts.state.view.stateId),
  })
  if (request.method === 'HEAD') {
    file.destroy()
    response.end()
    return
  }
  pipeline(file, response, (error) => {
    if (error) parts.log.warn({ err: error, name: name ?? route?.path }, 'a file was not sent in full')
  })
}

function isReady(json: Buffer | string | object): json is Buffer | string {
  return typeof json === 'string' || Buffer.isBuffer(json)
}

/** Nothing when there is nobody left to answer; recorded all the same. */
export function sendRefusal(parts: Parts, exchange: Exchange, refusal: Refusal): void {
  recordRefused(parts, exchange, refusal)
  if (exchange.response.headersSent || exchange.response.destroyed) return
  // What was refused before it was read is not waited for.
  if (isSending(exchange.request)) exchange.response.shouldKeepAlive = false
  finish(parts, exchange, refusal.status, errorBody(refusal), refusal.details.headers)
}

function finish(
  parts: Parts,
  { request, response, startedAtMs, requestId }: Exchange,
  status: number,
  body: Buffer | string,
  headers: Readonly<Record<string, string>> | undefined,
): void {
  const head = [
    'server',
    'holdfast',
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    'cluster-state-id',
    String(parts.state.view.stateId),
    'x-envoy-upstream-service-time',
    String(Math.round(performance.now() - startedAtMs)),
  ]
  if (requestId !== undefined) head.push('x-request-id', requestId)
  for (const name in headers) head.push(name, headers[name] ?? '')
  response.writeHead(status, head)
  if (isSending(request)) endWhenSent(request, response, body)
  else response.end(body)
}

/** A request without a body is not complete either while it is answered at once. */
function isSending({ complete, headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return !complete && (headers['transfer-encoding'] !== undefined || length !== '0')
}

/** So long somebody may go on to send what has been refused: far longer than it takes to read that it has been. */
const SENDER_PATIENCE_MS = 5_000

/**
 * Whoever still sends does not read yet, and would find the connection broken, and no answer, if it was closed at once. So
 * what they send is thrown away until they have read.
 */
function endWhenSent(request: IncomingMessage, response: ServerResponse, body: Buffer | string): void {
  response.write(body)
  const timer = setTimeout(end, SENDER_PATIENCE_MS).unref()
  function end(): void {
    clearTimeout(timer)
    response.end()
  }
  request.once('close', end)
  request.resume()
}

const LINGER_MS = 1_000

/** What never became a request has no response to be written. */
export function refuseRaw(parts: Parts, error: Error & { code?: string }, socket: Duplex): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const refusal = rawRefusal(error.code)
  const body = errorBody(refusal)
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `date: ${new Date(parts.now()).toUTCString()}`,
    `cluster-state-id: ${parts.state.view.stateId}`,
    'x-envoy-upstream-service-time: 0',
    'server: holdfast',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
  // At once, it might not arrive; and whoever never closes their side would keep it open for ever.
  setTimeout(() => socket.destroy(), LINGER_MS).unref()
}

function rawRefusal(code: string | undefined): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal('headers_too_large')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Refusal('request_timeout')
  return new Refusal('bad_request', { description: 'This is not an HTTP request.' })
}

export function toRefusal(error: unknown, parts: Parts): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof StoreTrouble) {
    parts.log.warn({ err: error }, 'the state cannot be written')
    return new Refusal(STORE_CODES[error.kind])
  }
  parts.log.error({ err: error }, 'a request failed')
  return new Refusal('internal_error')
}

const STORE_CODES: Readonly<Record<StoreTrouble['kind'], RefusalCode>> = {
  full: 'disk_full',
  'read-only': 'disk_read_only',
  unreachable: 'store_unavailable',
  unknown: 'outcome_unknown',
  closed: 'store_unavailable',
}
