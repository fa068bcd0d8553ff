/**
 * The thread of the exporter when something goes wrong: what cannot be told or asked ends that answer only, and a thread
 * that dies is noticed, and can be started again at the same port.
 */
import assert from 'node:assert/strict'
import { request } from 'node:https'
import { test } from 'node:test'
import { Figures } from '#observe/exporter/figures.ts'
import type { Batch } from '#observe/exporter/messages.ts'
import { type ExporterOptions, ExporterThread } from '#observe/exporter/thread-host.ts'
import { makeAuthority } from './support/certificates.ts'
import type { CleanUps } from './support/instance.ts'
import { freePort } from './support/ports.ts'
import { until } from './support/wait.ts'

type Gather = ExporterOptions['gatherer']['gather']

/** Of a kind that nobody has told of. */
const UNKNOWN: Batch = { kinds: [], labels: [''], lines: new Uint32Array([7, 0]), values: new Float64Array([1]) }

async function start(t: CleanUps) {
  const { certificate, key } = await makeAuthority('exporter')
  const port = await freePort()
  let gather: Gather = async () => undefined
  let mayRead = async () => true
  let ends = 0
  const warned: string[] = []
  const options = {
    host: '127.0.0.1',
    port,
    state: {
      view: { onChange: () => () => undefined },
      certificates: { get: () => ({ value: { certificate, key } }) },
      cluster: { get: () => undefined },
    } as unknown as ExporterOptions['state'],
    gatherer: { gather: (version, post) => gather(version, post) },
    mayRead: () => mayRead(),
    onEnd: () => ends++,
    log: { warn: (facts, message) => warned.push(`${message}: ${Object(facts).err?.message}`) },
  } satisfies ExporterOptions
  const open = async () => {
    const thread = new ExporterThread(options)
    t.after(() => thread.close())
    assert.equal(await thread.start(), null)
    return thread
  }
  const scrape = (path = '/v2') =>
    new Promise<string>((resolve) => {
      const sent = request({ host: '127.0.0.1', port, path, agent: false, rejectUnauthorized: false }, (answer) => {
        let text = String(answer.statusCode)
        answer.on('data', (piece) => {
          text += ` ${piece}`
        })
        answer.on('end', () => resolve(text))
        answer.on('error', () => resolve('cut off'))
      })
      sent.on('error', () => resolve('cut off'))
      sent.end()
    })
  const figures = new Figures()
  const tellOne: Gather = async (_version, post) => {
    figures.add('gauge', 'one', '', 1)
    post(figures.take())
  }
  return {
    open,
    scrape,
    warned,
    ends: () => ends,
    says: (what: Gather) => {
      gather = what
    },
    admits: (what: () => Promise<boolean>) => {
      mayRead = what
    },
    tellOne,
  }
}

test('what cannot be told, and nobody knowing who may read, end one answer and are said', async (t) => {
  const exporter = await start(t)
  const thread = await exporter.open()
  exporter.says(async () => {
    throw new Error('no figures')
  })
  assert.equal(await exporter.scrape('/v2'), 'cut off')
  exporter.admits(async () => {
    throw new Error('no directory')
  })
  assert.equal(await exporter.scrape('/metrics'), 'cut off')
  // Whoever is cut off may know it sooner than we are told why.
  await until('both to be said', () => /no figures[\s\S]*no directory/.test(exporter.warned.join('\n')))
  exporter.admits(async () => false)
  assert.match(await exporter.scrape('/metrics'), /^401 /)
  exporter.admits(async () => true)
  exporter.says(exporter.tellOne)
  assert.equal(await exporter.scrape('/metrics'), '200 # TYPE one gauge\none 1\n')
  assert.equal(thread.isListening, true)
  assert.equal(exporter.ends(), 0)
})

test('a thread that dies is noticed, and another serves in its place', async (t) => {
  const exporter = await start(t)
  const first = await exporter.open()
  exporter.says(async (_version, post) => post(UNKNOWN))
  assert.equal(await exporter.scrape(), 'cut off')
  await until('its end to be noticed', () => exporter.ends() === 1 && !first.isListening)
  assert.match(exporter.warned.join('\n'), /the exporter of metrics failed: no line is of the kind 7/)
  await first.close()
  await exporter.open()
  exporter.says(exporter.tellOne)
  assert.equal(await exporter.scrape(), '200 # TYPE one gauge\none 1\n')
  assert.equal(exporter.ends(), 1)
})
