/**
 * A network card of a test's own, with a cable that ends nowhere: what is sent leaves the machine as far as its kernel can
 * tell, and nobody else is bothered with it. Needs root.
 */
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { promisify } from 'node:util'
import type { CleanUps } from './instance.ts'

const run = promisify(execFile)

/** Addresses that are kept for examples; what is sent to others by mistake is none of theirs. */
const OWN = '198.51.100.1'
const NOBODY = '198.51.100.2'
const DISCARD_PORT = 9
const PACKET_BYTES = 1_400
const PACKETS_AT_ONCE = 50
const PAUSE_MS = 5

/** Sends about ten megabytes in a second, until `stop`, or the end of the test. */
export async function sendIntoNowhere(t: CleanUps): Promise<{ stop(): Promise<void> }> {
  const [card, end] = [`hf${process.pid}a`, `hf${process.pid}b`]
  const ip = (...words: readonly string[]) => run('ip', words)
  await ip('link', 'add', card, 'type', 'veth', 'peer', 'name', end)
  t.after(async () => void (await ip('link', 'del', card)))
  await ip('addr', 'add', `${OWN}/24`, 'dev', card)
  await ip('link', 'set', card, 'up')
  await ip('link', 'set', end, 'up')
  await ip('neigh', 'add', NOBODY, 'lladdr', '02:00:00:00:00:01', 'dev', card)
  const socket = createSocket('udp4')
  const packet = Buffer.alloc(PACKET_BYTES)
  const timer = setInterval(() => {
    for (let sent = 0; sent < PACKETS_AT_ONCE; sent++) socket.send(packet, DISCARD_PORT, NOBODY, () => undefined)
  }, PAUSE_MS)
  let isOver = false
  const stop = async () => {
    if (isOver) return
    isOver = true
    clearInterval(timer)
    await new Promise<void>((resolve) => socket.close(() => resolve()))
  }
  t.after(stop)
  return { stop }
}
