import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { sendOneMail } from './mail.ts'

const LONGEST_MS = 10_000

test('a mail is given up in time, however long its server goes on saying nothing', {
  timeout: LONGEST_MS,
}, async (t) => {
  const timers: NodeJS.Timeout[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.write('220 here\r\n')
    // A line of an answer that never ends: every byte of it counts as a sign of life.
    timers.push(setInterval(() => socket.write('250-more\r\n'), 20))
  }).listen(0, '127.0.0.1')
  t.after(() => {
    for (const timer of timers) clearInterval(timer)
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const settings = { host: '127.0.0.1', port, from: 'us@example.com', tls: 'none' as const, user: '', password: '' }
  const mail = { subject: 'one', text: 'two' }
  await assert.rejects(sendOneMail(settings, 'you@example.com', mail, AbortSignal.timeout(300)))
  const [socket] = sockets
  await new Promise<void>((resolve) =>
    socket && !socket.destroyed ? socket.once('close', () => resolve()) : resolve(),
  )
})
