/**
 * Scrapes as Prometheus does, packed, in a thread of its own: what the reader takes of a processor must make nothing late
 * that is measured elsewhere. It is told a port and a path, and answers with what came of it.
 */
import { request } from 'node:https'
import { parentPort } from 'node:worker_threads'

export type Scraped = { readonly status: number; readonly tookMs: number; readonly packedBytes: number }

parentPort?.on('message', ({ port, path }: { readonly port: number; readonly path: string }) => {
  const began = performance.now()
  const headers = { 'accept-encoding': 'gzip' }
  const options = { host: '127.0.0.1', port, path, headers, agent: false, rejectUnauthorized: false }
  const sent = request(options, (response) => {
    let packedBytes = 0
    response.on('data', (chunk: Buffer) => {
      packedBytes += chunk.length
    })
    response.on('end', () => {
      const scraped: Scraped = { status: response.statusCode ?? 0, tookMs: performance.now() - began, packedBytes }
      parentPort?.postMessage(scraped)
    })
  })
  sent.on('error', (error) => {
    throw error
  })
  sent.end()
})
