/**
 * The clients that applications use, each in its plain, Sentinel and cluster mode, run one workload against each kind of
 * endpoint. The engine by itself is the first column: what holds there must hold everywhere.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { type Mode, type Opened, openIoredis, openNodeRedis, type Target } from './clients/subjects.ts'
import { runWorkload } from './clients/workload.ts'
import type { Instance } from './support/instance.ts'
import { startPython } from './support/python.ts'
import { startCluster } from './support/redis-cluster.ts'
import { withInstance } from './support/suite.ts'

const PASSWORD = 'pa"ss wörd'

type Kind = { readonly title: string; readonly body: object; readonly modes: readonly Mode[] }

/** A cluster client is for endpoints that speak the cluster protocol; a plain one is for all of them. */
const KINDS: readonly Kind[] = [
  { title: 'unsharded', body: {}, modes: ['plain', 'sentinel'] },
  {
    title: 'replicated, with a password and TLS',
    body: {
      replication: true,
      authentication_redis_pass: PASSWORD,
      tls_mode: 'enabled',
      enforce_client_authentication: 'disabled',
    },
    modes: ['plain', 'sentinel'],
  },
  { title: 'sharded', body: { sharding: true, shards_count: 3 }, modes: ['plain', 'sentinel'] },
  {
    title: 'sharded, with a password and TLS',
    body: {
      sharding: true,
      shards_count: 2,
      authentication_redis_pass: PASSWORD,
      tls_mode: 'enabled',
      enforce_client_authentication: 'disabled',
    },
    modes: ['plain', 'sentinel'],
  },
  {
    title: 'sharded, of the cluster protocol',
    body: { sharding: true, shards_count: 3, oss_cluster: true },
    modes: ['plain', 'sentinel', 'cluster'],
  },
  {
    title: 'sharded, replicated, of the cluster protocol with a password',
    body: {
      ...{ sharding: true, shards_count: 2, replication: true, oss_cluster: true },
      authentication_redis_pass: PASSWORD,
    },
    modes: ['plain', 'sentinel', 'cluster'],
  },
]

type Client = { readonly title: string; readonly run: (mode: Mode, target: Target, t: Clean) => Promise<void> }
type Clean = { after(cleanUp: () => Promise<void>): void }

function ofTwo(title: string, open: (mode: Mode, target: Target) => Promise<Opened>): Client {
  const run: Client['run'] = async (mode, target, t) => {
    const opened: Opened[] = []
    t.after(async () => void (await Promise.all(opened.map((one) => one.close()))))
    const first = await open(mode, target)
    opened.push(first)
    const second = await open(mode, target)
    opened.push(second)
    await runWorkload(first.subject, second.subject)
  }
  return { title, run }
}

function redisPy(folder: () => string): Client {
  return {
    title: 'redis-py',
    run: async (mode, target, t) => {
      const trustedFile = join(folder(), `trusted-${target.name}.pem`)
      if (target.trusted !== undefined) await writeFile(trustedFile, target.trusted)
      const where = { ...target, trustedFile: target.trusted === undefined ? null : trustedFile }
      const program = startPython(t, 'workload.py', [mode, JSON.stringify(where)])
      assert.deepEqual(await program.ask('run'), { ok: true })
    },
  }
}

withInstance('clients', {}, (it) => {
  const clients: readonly Client[] = [
    ofTwo('ioredis', openIoredis),
    ofTwo('node-redis with RESP2', (mode, target) => openNodeRedis(mode, target, 2)),
    ofTwo('node-redis with RESP3', (mode, target) => openNodeRedis(mode, target, 3)),
    redisPy(() => it().dataDir),
  ]

  for (const { title, body, modes } of KINDS) {
    test(`every client works with an endpoint that is ${title}`, async (t) => {
      const name = title.toLowerCase().replace(/[^a-z]+/g, '-')
      const target = await made(it(), name, body)
      for (const client of clients) {
        for (const mode of modes) {
          await t.test(`${client.title}, ${mode}`, async (inner) => {
            await emptied(target)
            await client.run(mode, target, { after: (cleanUp) => inner.after(cleanUp) })
          })
        }
      }
    })
  }

  test('every cluster client runs the same workload against a bare cluster of the engine', async (t) => {
    const cluster = await startCluster({ after: (cleanUp) => t.after(cleanUp) }, 3)
    const { port } = cluster.node(0)
    const target = { name: '', port, discoveryPort: 0, password: undefined, trusted: undefined }
    for (const client of clients) {
      await t.test(client.title, async (inner) => {
        for (const node of cluster.nodes) await node.call('FLUSHALL')
        await client.run('cluster', target, { after: (cleanUp) => inner.after(cleanUp) })
      })
    }
  })

  test('a cluster client is told that an endpoint does not speak the cluster protocol', async (t) => {
    const target = await made(it(), 'no-cluster', { sharding: true, shards_count: 2 })
    for (const client of clients)
      await assert.rejects(
        client.run('cluster', target, { after: (cleanUp) => t.after(cleanUp) }),
        /cluster support disabled|Cluster mode is not enabled|Failed to refresh slots cache|All the root nodes|None of startup nodes/i,
        client.title,
      )
  })
})

async function made(instance: Instance, name: string, body: object): Promise<Target> {
  const wanted = { name, memory_size: 200_000_000, ...body }
  const { endpoints, tls_mode } = await instance.create(wanted)
  const { json } = await instance.api.get('/v1/cluster/certificates')
  return {
    name,
    port: endpoints[0].port,
    discoveryPort: instance.ports.discovery,
    password: 'authentication_redis_pass' in body ? PASSWORD : undefined,
    trusted: tls_mode === 'enabled' ? json.proxy_cert : undefined,
  }
}

async function emptied({ port, password, trusted }: Target): Promise<void> {
  const client = new Redis({
    ...{ host: '127.0.0.1', port, retryStrategy: null },
    ...(password === undefined ? {} : { password }),
    ...(trusted === undefined ? {} : { tls: { rejectUnauthorized: false } }),
  })
  client.on('error', () => undefined)
  await client.flushall()
  client.disconnect()
}
