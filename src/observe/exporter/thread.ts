/**
 * The thread of the exporter: what takes time and nothing of the program's state, so that no caller of the API waits for
 * two hundred thousand lines to be written, packed and encrypted. What is told, and who may read it, it asks the rest of
 * the program. Only thread-host.ts talks to it.
 */
import { parentPort, workerData } from 'node:worker_threads'
import type { Admission, Batch, FromThread, ThreadData, ToThread } from './messages.ts'
import { Scraper } from './scrape.ts'
import { ExporterServer } from './server.ts'

type Telling = { readonly take: (batch: Batch) => void; readonly done: PromiseWithResolvers<void> }

const telling = new Map<number, Telling>()
const admissions = new Map<number, PromiseWithResolvers<Admission>>()
let lastId = 0

const { host, port, keyPair } = workerData as ThreadData
const server = new ExporterServer({
  host,
  port,
  scraper: new Scraper(async (version, take) => {
    const done = Promise.withResolvers<void>()
    const id = ++lastId
    telling.set(id, { take, done })
    say({ kind: 'tell', id, version })
    await done.promise
  }),
  admit: async (visitor) => {
    const admission = Promise.withResolvers<Admission>()
    const id = ++lastId
    admissions.set(id, admission)
    say({ kind: 'admit', id, visitor })
    return await admission.promise
  },
  onTrouble: (error) => say({ kind: 'trouble', error }),
})
if (keyPair) server.show(keyPair)
parentPort?.on('message', hear)
say({ kind: 'listening', problem: await server.start() })

function hear(message: ToThread): void {
  if (message.kind === 'key-pair') server.show(message.keyPair)
  else if (message.kind === 'admission') {
    const asked = admissions.get(message.id)
    admissions.delete(message.id)
    if (message.admission) asked?.resolve(message.admission)
    else asked?.reject(new Error(message.problem))
  } else if (message.kind === 'lines') telling.get(message.id)?.take(message.batch)
  else {
    const asked = telling.get(message.id)
    telling.delete(message.id)
    if (message.problem === '') asked?.done.resolve()
    else asked?.done.reject(new Error(message.problem))
  }
}

function say(message: FromThread): void {
  parentPort?.postMessage(message)
}
