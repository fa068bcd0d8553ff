import assert from 'node:assert/strict'
import { createPrivateKey, generateKeyPairSync, hash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { EndpointSpec } from '#plan/step.ts'
import { keyPassphrase, proxyFolder, readEndpoints, writeEndpoints } from './folder.ts'

const controlSecret = Buffer.from('secret')

function makePair(name: string) {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { certificate: name, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

function specOf(databaseUid: number, certificate: string): EndpointSpec {
  return {
    databaseUid,
    listen: { host: '127.0.0.1', port: 10_000 + databaseUid },
    tls: { certificate, minVersion: '1.2', ciphers: '', cipherSuites: '', clients: null },
    shards: [],
    relay: null,
    internode: null,
    isOpen: true,
    accountsDigest: hash('sha256', 'nobody', 'hex'),
    maxConnections: 0,
    maxClientPipeline: 1,
    speaksCluster: false,
    isMoving: false,
  }
}

async function folderOf(t: TestContext) {
  const path = await mkdtemp(join(tmpdir(), 'holdfast-proxy-'))
  t.after(() => rm(path, { recursive: true }))
  return proxyFolder(path)
}

type Config = { endpoints: { databaseUid: number; tls: { certificate: string; key: string } }[] }
const shown = (text: string) =>
  (JSON.parse(text) as Config).endpoints.map((one) => [one.databaseUid, one.tls.certificate])

test('while endpoints hear in turn of a new certificate, the others stay as they were', async (t) => {
  const folder = await folderOf(t)
  const pairs = new Map([['old', makePair('the old one')]])
  const options = { controlSecret, clientMemoryBytes: null, keyPairOf: (digest: string) => pairs.get(digest) }
  const first = await writeEndpoints(folder, [specOf(1, 'old'), specOf(2, 'old')], options)
  assert.deepEqual([...first.outdated], [])

  pairs.delete('old')
  pairs.set('new', makePair('the new one'))
  const second = await writeEndpoints(folder, [specOf(1, 'new'), specOf(2, 'old')], options)
  assert.deepEqual(shown(second.config), [
    [1, 'the new one'],
    [2, 'the old one'],
  ])
  assert.deepEqual([...second.outdated], [2])
  assert.equal(await readFile(folder.config, 'utf8'), second.config)

  // What is asked for is remembered, also by whoever comes after a restart.
  const specs = await readEndpoints(folder)
  assert.equal(specs[1]?.tls?.certificate, 'old')
  const third = await writeEndpoints(folder, [specOf(1, 'new'), specOf(2, 'new')], options)
  assert.deepEqual(shown(third.config), [
    [1, 'the new one'],
    [2, 'the new one'],
  ])
  assert.deepEqual([...third.outdated], [])
})

test('one that was never served is left out without its certificate, and keys are written encrypted', async (t) => {
  const folder = await folderOf(t)
  const pair = makePair('the only one')
  const options = {
    controlSecret,
    clientMemoryBytes: null,
    keyPairOf: (digest: string) => (digest === 'known' ? pair : undefined),
  }
  const { config, outdated } = await writeEndpoints(folder, [specOf(1, 'unknown'), specOf(2, 'known')], options)
  assert.deepEqual(shown(config), [[2, 'the only one']])
  assert.deepEqual([...outdated], [1])
  const [endpoint] = (JSON.parse(config) as Config).endpoints
  assert.throws(() => createPrivateKey(endpoint?.tls.key ?? ''))
  const opened = createPrivateKey({ key: endpoint?.tls.key ?? '', passphrase: keyPassphrase(controlSecret) })
  assert.equal(opened.export({ type: 'pkcs8', format: 'pem' }), pair.key)
})
