/**
 * TLS is switched and certificates are rotated while redis-benchmark runs at full speed: what is connected goes on, and
 * nothing that was asked is lost.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { withInstance } from './support/suite.ts'

const REQUESTS = { primary: 300_000, proxy: 150_000 }
const CLIENTS = 20
/** Between two changes, so that there is traffic before and after each. */
const CHANGE_EVERY_MS = 300

withInstance('TLS under load', {}, (it) => {
  /** Ends when every request is answered; redis-benchmark gives up at the first error of a connection or a command. */
  const benchmark = (port: number, requests: number) => {
    const args = ['-p', String(port), '--tls', '--insecure', '-n', String(requests), '-c', String(CLIENTS), '-P', '4']
    const child = spawn('redis-benchmark', [...args, '-t', 'set', '-r', '1000', '--csv'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        output += text
      })
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
    return { ended, output: () => output, isOver: () => child.exitCode !== null }
  }

  for (const sharding of [false, true])
    test(`nothing is lost, sharded ${sharding}`, async () => {
      const { uid, endpoints } = await it().create({
        name: 'busy',
        memory_size: 50_000_000,
        tls_mode: 'enabled',
        enforce_client_authentication: 'disabled',
        ...(sharding && { sharding, shards_count: 2 }),
      })
      const { port } = endpoints[0]
      const change = async (body: object) => {
        const { status, text } = await it().api.put(`/v1/bdbs/${uid}`, body)
        assert.equal(status, 200, text)
        await it().active(uid)
      }
      const load = benchmark(port, sharding ? REQUESTS.proxy : REQUESTS.primary)
      await delay(CHANGE_EVERY_MS)
      let changes = 0
      while (!load.isOver() && changes < 12) {
        if (changes % 3 === 0) await it().api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })
        else await change({ tls_mode: changes % 3 === 1 ? 'disabled' : 'enabled' })
        changes++
        await delay(CHANGE_EVERY_MS)
      }
      const code = await load.ended
      assert.equal(code, 0, load.output())
      assert.doesNotMatch(load.output(), /error|closed|reset/i)
      assert.match(load.output(), /"SET"/)
      assert.ok(changes >= 3, `${changes} changes while it ran`)
    })
})
