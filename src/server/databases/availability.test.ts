import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { replicasKeepUp } from './availability.ts'

const place = (uid: number) => ({ uid, group: 1, nodeUid: 1, slots: [], ports: null })
const [primary, replica] = [place(1), place(2)]

test('however slowly shards answer, whether replicas keep up is known within the time of one probe', async () => {
  const agent = {
    info: async (uid: number, timeoutMs: number) => {
      const needsMs = uid === 1 ? 400 : 5_000
      await delay(Math.min(needsMs, timeoutMs))
      return needsMs <= timeoutMs ? { master_repl_offset: '7' } : null
    },
  }
  const began = performance.now()
  assert.equal(await replicasKeepUp(agent, { shards: [primary, replica] }, [primary], 60_000), false)
  assert.ok(performance.now() - began < 700, 'one budget for all questions')
})

test('a replica that gets there within the tolerance keeps up, one that does not is behind', async () => {
  const agentOf = (reached: () => number) => ({
    info: async (uid: number) =>
      uid === 1 ? { master_repl_offset: '7' } : { master_link_status: 'up', slave_repl_offset: String(reached()) },
  })
  let reached = 0
  const keepsUp = (agent: ReturnType<typeof agentOf>) =>
    replicasKeepUp(agent, { shards: [primary, replica] }, [primary], 100)
  assert.equal(await keepsUp(agentOf(() => ++reached)), true)
  assert.equal(await keepsUp(agentOf(() => 6)), false)
})
