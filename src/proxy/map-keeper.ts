/**
 * Keeps the slot map of one endpoint true: asks any shard that answers for CLUSTER SLOTS when something speaks against
 * the map, and now and then without a reason. Callers: the endpoint. It also learns which commands the engine has that
 * nobody told us of, and what version it is.
 */
import type { RespValue } from '#resp/value.ts'
import { textOf } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { CommandTable } from './command-table.ts'
import type { ShardConfig } from './config.ts'
import { CONTROL_TIMEOUT_MS, REFRESH_EVERY_MS, REFRESH_PAUSE_MS } from './limits.ts'
import type { Pool } from './pool.ts'
import type { Shard, ShardSlots, SlotMap } from './slot-map.ts'

export interface Kept {
  readonly slots: SlotMap
  readonly table: CommandTable
  engine: { server: string; version: string }
}

export class MapKeeper {
  readonly #kept: Kept
  readonly #control: () => Pool
  #config: readonly ShardConfig[] = []
  #timer: NodeJS.Timeout | undefined
  #isAsking = false
  #asked: Promise<boolean> = Promise.resolve(false)
  #isWanted = false
  #isSoon = false
  #isLearned = false
  #isClosed = false

  constructor(kept: Kept, control: () => Pool) {
    this.#kept = kept
    this.#control = control
  }

  start(): void {
    void this.#refresh()
  }

  /** Whom to ask. Its map only counts until a shard has said what is so: slots may be on their way. */
  takeConfig(shards: readonly ShardConfig[]): void {
    const isNew = JSON.stringify(shards) !== JSON.stringify(this.#config)
    this.#config = shards
    if (!isNew) return
    if (!this.#isLearned) this.#kept.slots.replace(shards)
    this.refreshSoon()
  }

  /** Whoever asks again meanwhile must not put it off: those who wait for the map ask all the time. */
  refreshSoon(): void {
    if (this.#isAsking) this.#isWanted = true
    else if (!this.#isSoon) this.#schedule(REFRESH_PAUSE_MS)
  }

  /** Resolves when what shards have said since then counts, or none has answered in time. */
  async refreshNow(): Promise<void> {
    while (this.#isAsking) await this.#asked
    await this.#refresh()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  #schedule(pauseMs: number): void {
    if (this.#isClosed) return
    clearTimeout(this.#timer)
    this.#isSoon = pauseMs <= REFRESH_PAUSE_MS
    this.#timer = setTimeout(() => void this.#refresh(), pauseMs)
    this.#timer.unref()
  }

  async #refresh(): Promise<void> {
    if (this.#isClosed || this.#isAsking) return
    this.#isAsking = true
    this.#isWanted = false
    this.#isSoon = false
    this.#asked = this.#askAnyShard().finally(() => {
      this.#isAsking = false
    })
    const isAnswered = await this.#asked
    const isAway = this.#kept.slots.serving.some((shard) => shard.awaySince > 0)
    this.#schedule(this.#isWanted || !isAnswered || isAway ? REFRESH_PAUSE_MS : REFRESH_EVERY_MS)
  }

  async #askAnyShard(): Promise<boolean> {
    const { slots } = this.#kept
    const configured = this.#config.map(({ host, port }) => slots.at(host, port))
    const all = [...new Set([...slots.serving, ...configured])]
    // Those that are not known to be away first; all at once, since one that hangs must not delay the others.
    const answers = await Promise.all(all.map((shard) => this.#slotsOf(shard)))
    const told = answers.filter((answer) => answer !== null)
    const best = told.sort((a, b) => coverage(b) - coverage(a))[0]
    if (!best || this.#isClosed) return false
    const alive = new Set(all.filter((_, index) => answers[index] !== null))
    for (const shard of alive) shard.awaySince = 0
    slots.replace(best)
    if (!this.#isLearned) await this.#learn([...alive][0])
    return true
  }

  async #slotsOf(shard: Shard): Promise<ShardSlots[] | null> {
    const answer = await this.#ask(shard, ['CLUSTER', 'SLOTS'])
    return answer === null ? null : parseSlots(answer, shard.host)
  }

  async #learn(shard: Shard | undefined): Promise<void> {
    if (!shard) return
    const [info, commands] = await Promise.all([this.#ask(shard, ['INFO', 'server']), this.#ask(shard, ['COMMAND'])])
    if (info === null || commands === null) return
    const text = textOf(info) ?? ''
    const version = /^(?:redis_version):(.+?)\r?$/m.exec(text)?.[1]
    if (version) this.#kept.engine = { server: /^server_name:valkey/m.test(text) ? 'valkey' : 'redis', version }
    if (commands.kind !== 'array') return
    for (const row of commands.items) learnCommand(this.#kept.table, row)
    this.#isLearned = true
  }

  /** Null when it has not answered in time: whoever waits for the map must not wait for one shard that hangs. */
  async #ask(shard: Shard, words: readonly string[]): Promise<RespValue | null> {
    const connection = this.#control().forShard(shard)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), CONTROL_TIMEOUT_MS).unref()
    })
    const answer = await Promise.race([ask(connection, words), late])
    clearTimeout(timer)
    if (answer === null) connection.close('the shard does not answer')
    return answer
  }
}

function coverage(shards: readonly ShardSlots[]): number {
  let count = 0
  for (const { slots } of shards) for (const [first, last] of slots) count += last - first + 1
  return count
}

/** Null for anything else than a map with at least one slot: a shard that has lost its place must not empty ours. */
function parseSlots(value: RespValue, ownHost: string): ShardSlots[] | null {
  if (value.kind !== 'array') return null
  const found: { host: string; port: number; slots: [number, number][] }[] = []
  for (const row of value.items) {
    if (row.kind !== 'array') continue
    const [first, last, primary] = row.items
    if (first?.kind !== 'integer' || last?.kind !== 'integer' || primary?.kind !== 'array') continue
    const [host, port] = primary.items
    if (port?.kind !== 'integer') continue
    // A node that does not know its own address leaves it out.
    const address = (host && textOf(host)) || ownHost
    found.push({ host: address, port: Number(port.value), slots: [[Number(first.value), Number(last.value)]] })
  }
  return found.length > 0 ? found : null
}

/** One row of COMMAND: name, arity, flags, first key, last key, step, categories, tips, key specifications. */
function learnCommand(table: CommandTable, row: RespValue): void {
  if (row.kind !== 'array') return
  const [name, , flags, firstKey] = row.items
  if (!name || firstKey?.kind !== 'integer') return
  const all = flags && 'items' in flags ? flags.items.map(textOf) : []
  const text = textOf(name)
  const kind = all.includes('write') ? 'write' : all.includes('readonly') ? 'read' : 'other'
  if (text) table.learn(text, Number(firstKey.value), all.includes('blocking'), 0, kind)
}
