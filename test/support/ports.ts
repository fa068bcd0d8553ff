/**
 * Ports for one test process: a block of its own, held by listening on the block's first port, so that tests that run
 * side by side never draw the same ports. The kernel gives the block back when the process ends, however it ends.
 * Blocks lie below the range that the kernel uses for outgoing connections.
 */
import { createServer, type Server } from 'node:net'

const FIRST = 10_500
const LAST = 32_000
const BLOCK = 500
const SHARE = 4

export type PortBlock = {
  readonly api: number
  readonly discovery: number
  readonly metrics: number
  readonly databases: { readonly low: number; readonly high: number }
  readonly shards: { readonly low: number; readonly high: number }
}

const held: Server[] = []

export async function reservePorts(): Promise<PortBlock> {
  const blocks = Math.floor((LAST - FIRST) / BLOCK)
  const offset = process.pid % blocks
  for (let tried = 0; tried < blocks; tried++) {
    const base = FIRST + ((offset + tried) % blocks) * BLOCK
    const server = await tryListen(base)
    if (!server) continue
    // Somebody who keeps no block of their own may have one of those that are used without asking again.
    if (!(await areFree([base + 1, base + 2, base + 3]))) {
      server.close()
      continue
    }
    server.unref()
    held.push(server)
    const high = base + BLOCK - 1
    const split = high - Math.floor(BLOCK / SHARE)
    return {
      api: base + 1,
      discovery: base + 2,
      metrics: base + 3,
      databases: { low: base + 10, high: split },
      shards: { low: split + 1, high },
    }
  }
  throw new Error('no block of ports is free for this test')
}

let own: Promise<PortBlock> | undefined
let drawn = 0

/** A port nobody listens on, from a block that this process keeps for such: none is drawn twice before all were. */
export async function freePort(): Promise<number> {
  own ??= reservePorts()
  const { databases, shards } = await own
  const count = shards.high - databases.low + 1
  for (let tried = 0; tried < count; tried++) {
    const port = databases.low + (drawn++ % count)
    const server = await tryListen(port)
    if (!server) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error('no port of this test is free')
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers = await Promise.all(ports.map(tryListen))
  await Promise.all(servers.map((server) => server && new Promise((resolve) => server.close(resolve))))
  return servers.every((server) => server !== undefined)
}

function tryListen(port: number): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}
