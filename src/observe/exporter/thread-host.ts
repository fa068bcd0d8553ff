/**
 * The exporter as the rest of the program has it: a thread that is given what it has to tell and whom it may tell it, when
 * it asks. Callers: main makes one each time the exporter is to run.
 */
import { Worker } from 'node:worker_threads'
import { exporterRules } from '#model/metrics-config.ts'
import type { State } from '#store/state.ts'
import type { Gatherer } from './gather.ts'
import type { FromThread, KeyPair, ThreadData, ToThread, Visitor } from './messages.ts'

export type ExporterOptions = {
  readonly state: Pick<State, 'view' | 'certificates' | 'cluster'>
  readonly gatherer: Pick<Gatherer, 'gather'>
  readonly host: string
  readonly port: number
  /** Whether whoever asks may read metrics. */
  readonly mayRead: (visitor: Visitor) => Promise<boolean>
  /** The thread has ended, and nobody wanted it to. */
  readonly onEnd: () => void
  readonly log: { warn(facts: object, message: string): void }
}

export class ExporterThread {
  readonly #options: ExporterOptions
  readonly #stopFollowing: () => void
  #worker: Worker | null = null
  #isListening = false

  constructor(options: ExporterOptions) {
    this.#options = options
    const { state } = options
    this.#stopFollowing = state.view.onChange((collection, id) => {
      if (collection !== state.certificates || id !== 'metrics_exporter') return
      const keyPair = this.#keyPair()
      if (keyPair) this.#say({ kind: 'key-pair', keyPair })
    })
  }

  get isListening(): boolean {
    return this.#isListening
  }

  /** Null: it listens. Otherwise why it does not, in words. */
  async start(): Promise<string | null> {
    const { host, port, log, onEnd } = this.#options
    const worker = new Worker(new URL('./thread.ts', import.meta.url), {
      workerData: { host, port, keyPair: this.#keyPair() } satisfies ThreadData,
      // Not with our own arguments: they may say how to read the main program.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      // What it keeps longer than a moment are bytes, which lie elsewhere.
      resourceLimits: { maxYoungGenerationSizeMb: 4 },
    })
    this.#worker = worker
    return await new Promise((resolve) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'listening') {
          this.#isListening = message.problem === null
          resolve(message.problem)
        } else if (message.kind === 'admit') void this.#admit(message.id, message.visitor)
        else if (message.kind === 'tell') void this.#tell(message.id, message.version)
        else log.warn({ err: message.error }, 'metrics were not told')
      })
      worker.on('error', (err) => {
        log.warn({ err }, 'the exporter of metrics failed')
        resolve(err.message)
      })
      worker.once('exit', () => {
        const wasListening = this.#isListening
        this.#isListening = false
        resolve('it has ended')
        if (wasListening && this.#worker === worker) onEnd()
      })
    })
  }

  async close(): Promise<void> {
    this.#stopFollowing()
    const worker = this.#worker
    this.#worker = null
    await worker?.terminate()
  }

  async #admit(id: number, visitor: Visitor): Promise<void> {
    const { state, mayRead } = this.#options
    try {
      const { requestsAtOnce } = exporterRules(state.cluster.get('')?.value.metrics)
      const admission = { mayRead: await mayRead(visitor), requestsAtOnce }
      this.#say({ kind: 'admission', id, admission, problem: '' })
    } catch (error) {
      this.#say({ kind: 'admission', id, admission: null, problem: `nobody knows who may read: ${error}` })
    }
  }

  async #tell(id: number, version: Parameters<Gatherer['gather']>[0]): Promise<void> {
    try {
      await this.#options.gatherer.gather(version, (batch) =>
        this.#say({ kind: 'lines', id, batch }, [batch.lines.buffer, batch.values.buffer]),
      )
      this.#say({ kind: 'end', id, problem: '' })
    } catch (error) {
      this.#say({ kind: 'end', id, problem: `not all could be told: ${error}` })
    }
  }

  #keyPair(): KeyPair | null {
    const held = this.#options.state.certificates.get('metrics_exporter')?.value
    return held ? { key: held.key, certificate: held.certificate } : null
  }

  #say(message: ToThread, transferred: ArrayBuffer[] = []): void {
    this.#worker?.postMessage(message, transferred)
  }
}
