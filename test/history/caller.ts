/**
 * A client of the history run: one connection at a time, that tells whether a command was never sent, was answered, or
 * may have been carried out without an answer. Real clients hide that difference, which is what the history is about.
 */
import { connect, type Socket } from 'node:net'
import { encodeCommands } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import type { RespValue } from '#resp/value.ts'

const CONNECT_MS = 1_000
const ANSWER_MS = 5_000

export class NeverSent extends Error {}
export class NoAnswer extends Error {}

type Connection = { readonly socket: Socket; readonly parser: RespParser; readonly answers: RespValue[] }

export class Caller {
  readonly #port: number
  #connection: Connection | undefined
  #wake: () => void = () => undefined

  constructor(port: number) {
    this.#port = port
  }

  /** All commands in one write, all of their answers. Rejects with NeverSent or NoAnswer. */
  async call(commands: readonly (readonly string[])[]): Promise<RespValue[]> {
    this.#connection ??= await this.#connect()
    const { socket, answers } = this.#connection
    socket.write(encodeCommands(commands))
    const deadline = performance.now() + ANSWER_MS
    while (answers.length < commands.length) {
      const leftMs = deadline - performance.now()
      if (socket.destroyed || leftMs <= 0) {
        this.close()
        throw new NoAnswer(leftMs <= 0 ? 'no answer in time' : 'the connection ended')
      }
      await this.#news(leftMs)
    }
    return answers.splice(0)
  }

  close(): void {
    this.#connection?.socket.destroy()
    this.#connection = undefined
  }

  async #connect(): Promise<Connection> {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    const connection: Connection = { socket, parser: new RespParser(), answers: [] }
    socket.on('data', (chunk) => {
      try {
        connection.answers.push(...connection.parser.push(chunk))
      } catch {
        socket.destroy()
      }
      this.#wake()
    })
    socket.on('close', () => this.#wake())
    socket.on('error', () => this.#wake())
    const deadline = performance.now() + CONNECT_MS
    while (socket.readyState === 'opening' && performance.now() < deadline) {
      const opened = new Promise<void>((resolve) => socket.once('connect', resolve))
      await Promise.race([opened, this.#news(deadline - performance.now())])
    }
    if (socket.readyState === 'open') return connection
    socket.destroy()
    throw new NeverSent('nobody listens')
  }

  async #news(withinMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, withinMs)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
