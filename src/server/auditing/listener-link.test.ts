import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { until } from '../../../test/support/wait.ts'
import { ListenerLink } from './listener-link.ts'

/** Listens at `path` when it is told to, and keeps the lines that it is sent. */
class Sink {
  readonly path: string
  lines: string[] = []
  connections = 0
  #server: Server | undefined
  readonly #sockets = new Set<Socket>()

  constructor(path: string) {
    this.path = path
  }

  async listen(reads = true): Promise<void> {
    this.#server = createServer((socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      let rest = ''
      if (!reads) socket.pause()
      else
        socket.on('data', (text) => {
          const all = (rest + text).split('\n')
          rest = all.pop() ?? ''
          this.lines.push(...all)
        })
    })
    this.#server.listen(this.path)
    await once(this.#server, 'listening')
  }

  readAgain(): void {
    for (const socket of this.#sockets) socket.on('data', (text) => this.lines.push(String(text))).resume()
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#server?.close()
  }
}

async function bench(t: TestContext, limits: { attempts?: number; bytes?: number } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-link-'))
  const sink = new Sink(join(folder, 'audit.sock'))
  const said: string[] = []
  const say = (_facts: object, message: string) => void said.push(message)
  const link = new ListenerLink({ info: say, warn: say }, 10)
  t.after(async () => {
    link.close()
    sink.close()
    await rm(folder, { recursive: true, force: true })
  })
  const config = {
    audit_protocol: 'local' as const,
    audit_address: sink.path,
    audit_reconnect_interval: 1,
    audit_reconnect_max_attempts: limits.attempts ?? 0,
    audit_queue_max_bytes: limits.bytes ?? 100_000,
  }
  return { link, sink, said, config }
}

test('lines arrive in order, also those from before the listener was there', async (t) => {
  const { link, sink, config } = await bench(t)
  link.send('to nobody')
  link.configure(config)
  for (let number = 0; number < 100; number++) link.send(`line ${number}`)
  await sink.listen()
  await until('all lines', () => sink.lines.length === 100)
  assert.deepEqual(
    sink.lines,
    Array.from({ length: 100 }, (_, number) => `line ${number}`),
  )
})

test('a listener that goes away is found again', async (t) => {
  const { link, sink, said, config } = await bench(t)
  await sink.listen()
  link.configure(config)
  link.configure({ ...config })
  link.send('one')
  await until('the first', () => sink.lines.length === 1)
  sink.close()
  await until('the loss to be noticed', () => said.some((text) => text.includes('cannot be reached')))
  link.send('two')
  await sink.listen()
  await until('the second', () => sink.lines.includes('two'))
  assert.equal(sink.connections, 2, 'the same configuration again does not connect anew')
})

test('after so many attempts it is given up, until it is configured anew', async (t) => {
  const { link, sink, said, config } = await bench(t, { attempts: 3 })
  link.configure(config)
  await until('it to be given up', () => said.some((text) => text.includes('given up')))
  await sink.listen()
  link.send('late')
  assert.equal(sink.connections, 0)
  link.configure({ ...config, audit_reconnect_max_attempts: 4 })
  link.send('anew')
  await until('the line', () => sink.lines.length === 1)
  assert.deepEqual(sink.lines, ['anew'], 'what waited for the old one is not sent to the new one')
})

test('a listener that does not read costs a bounded memory, and learns how much it missed', async (t) => {
  const { link, sink, said, config } = await bench(t, { bytes: 50_000 })
  await sink.listen(false)
  link.configure(config)
  await until('the connection', () => sink.connections === 1)
  const line = 'x'.repeat(1_000)
  for (let number = 0; number < 2_000; number++) link.send(line)
  assert.deepEqual(said.filter((text) => text.includes('keep up')).length, 1, 'said once')
  sink.readAgain()
  const text = await until('the count', () => sink.lines.join('').includes('events_not_sent') && sink.lines.join(''))
  const count = Number(/"count":(\d+)/.exec(text)?.[1])
  const arrived = text.split('\n').filter((one) => one === line).length
  assert.equal(arrived + count, 2_000)
})
