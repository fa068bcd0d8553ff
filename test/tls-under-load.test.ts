/**
 * TLS is switched and certificates are rotated while redis-benchmark runs at full speed: what is connected goes on, and
 * nothing that was asked is lost.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { withInstance } from './support/suite.ts'
import { within } from './support/wait.ts'

const REQUESTS = { primary: 300_000, proxy: 150_000 }
const CLIENTS = 20
/** Between two changes, so that there is traffic before and after each. */
const CHANGE_EVERY_MS = 300
/** A rotation, TLS off, and on again: all of it must be done while there is load. */
const LEAST_CHANGES = 3
/** While the benchmark runs once. */
const MOST_CHANGES = 12
const MOST_RUNS = 5
const LOAD_MS = 120_000

withInstance('TLS under load', {}, (it) => {
  /** Ends when every request is answered; redis-benchmark gives up at the first error of a connection or a command. */
  const benchmark = (t: TestContext, port: number, requests: number) => {
    const args = ['-p', String(port), '--tls', '--insecure', '-n', String(requests), '-c', String(CLIENTS), '-P', '4']
    const child = spawn('redis-benchmark', [...args, '-t', 'set', '-r', '1000', '--csv'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    t.after(() => void child.kill('SIGKILL'))
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => {
        output += text
      })
    const ended = new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
    return { ended, output: () => output, isOver: () => child.exitCode !== null || child.signalCode !== null }
  }

  for (const sharding of [false, true])
    test(`nothing is lost, sharded ${sharding}`, async (t) => {
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
      const rotate = async () => {
        const { status, text } = await it().api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })
        assert.equal(status, 200, text)
      }
      let changes = 0
      /** Changes one thing after the other while the benchmark runs; how many were made before it was through. */
      const changedUnderLoad = async () => {
        const load = benchmark(t, port, sharding ? REQUESTS.proxy : REQUESTS.primary)
        const before = changes
        await delay(CHANGE_EVERY_MS)
        while (!load.isOver() && changes - before < MOST_CHANGES) {
          if (changes % 3 === 0) await rotate()
          else await change({ tls_mode: changes % 3 === 1 ? 'disabled' : 'enabled' })
          changes++
          await delay(CHANGE_EVERY_MS)
        }
        assert.equal(await within('the benchmark to end', load.ended, LOAD_MS), 0, load.output())
        assert.doesNotMatch(load.output(), /error|closed|reset/i)
        assert.match(load.output(), /"SET"/)
      }
      // How long it takes is the machine's own: it runs again until everything was changed while it did. Its connections
      // speak TLS, so that is on whenever it begins.
      for (let run = 0; run < MOST_RUNS && changes < LEAST_CHANGES; run++) {
        await change({ tls_mode: 'enabled' })
        await changedUnderLoad()
      }
      assert.ok(changes >= LEAST_CHANGES, `${changes} changes while it ran ${MOST_RUNS} times`)
    })
})
