/**
 * The last reading of a shard, kept where the one before it was: what is made anew each second and lives until the next is
 * what V8 has to look for everywhere. Callers: the sampler writes it, everybody else reads it through the contract, at once
 * or not at all.
 */
import { type CommandReading, infoNumber, type ShardReading } from '#model/statistics/readings.ts'

type Writable<T> = { -readonly [Field in keyof T]: T[Field] }

export class KeptReading implements ShardReading {
  readonly uid: number
  readonly numbers: Float64Array
  readonly commands: Writable<CommandReading>[]
  readonly own: Writable<ShardReading['own']> & { calls: Record<string, number> }
  atMs = 0
  clockMs = 0
  latencies: ShardReading['latencies'] = null
  process: ShardReading['process'] = null

  constructor(reading: ShardReading) {
    this.uid = reading.uid
    this.numbers = reading.numbers.slice()
    this.commands = []
    this.own = { ...reading.own, calls: {} }
    this.take(reading)
  }

  take(reading: ShardReading): void {
    const { own } = this
    // A new process begins to count, and what it is asked may be something else.
    const isSameProcess = infoNumber(this, 'process_id') === infoNumber(reading, 'process_id')
    own.calls = Object.assign(isSameProcess ? own.calls : {}, reading.own.calls)
    own.connections = reading.own.connections
    own.receivedBytes = reading.own.receivedBytes
    own.sentBytes = reading.own.sentBytes
    own.clients = reading.own.clients
    this.numbers.set(reading.numbers)
    this.#takeCommands(reading.commands)
    this.atMs = reading.atMs
    this.clockMs = reading.clockMs
    // The agent keeps these two for longer than that.
    this.latencies = reading.latencies
    this.process = reading.process
  }

  #takeCommands(commands: readonly CommandReading[]): void {
    for (const [index, command] of commands.entries()) {
      const kept = this.commands[index]
      if (kept) Object.assign(kept, command)
      else this.commands.push({ ...command })
    }
    this.commands.length = commands.length
  }
}
