/**
 * Somebody who gets webhooks: keeps what arrives, and answers as the test says.
 */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { CleanUps } from './instance.ts'

export type Delivery = { readonly headers: IncomingHttpHeaders; readonly body: string; readonly path: string }

export type WebhookReceiver = {
  readonly url: string
  readonly deliveries: Delivery[]
  /** 0: it never answers. */
  status: number
  location: string
}

export async function startWebhookReceiver(
  t: CleanUps,
  tls?: { readonly key: string; readonly cert: string },
): Promise<WebhookReceiver> {
  const receiver: WebhookReceiver = { url: '', deliveries: [], status: 200, location: '' }
  const server = tls ? createTlsServer(tls) : createServer()
  server.on('request', async (request, response) => {
    const chunks: Buffer[] = await Array.fromAsync(request)
    receiver.deliveries.push({
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
      path: request.url ?? '',
    })
    if (receiver.status === 0) return
    response.writeHead(receiver.status, receiver.location === '' ? {} : { location: receiver.location })
    response.end('as the test says')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(async () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return Object.assign(receiver, { url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` })
}
