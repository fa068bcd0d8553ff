/**
 * What an agent is made from. Callers: main, which wires it, and every file of this room.
 */
import type { EngineBuild } from '#plan/agent.ts'
import type { ProxyProgram } from './proxy/program.ts'

/** The part of pino that this room uses. */
export type Log = {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

export type LocalAgentOptions = {
  /** Holds `shards/<uid>/` of every shard. */
  readonly dataDir: string
  readonly nodeUid: number
  /** What can be started here; the first one of a name and version is meant. */
  readonly engines: readonly EngineBuild[]
  /** The passwords of the control accounts are derived from it; it is never written by this room. */
  readonly controlSecret: Buffer
  /** The certificate with that digest, and its key, both PEM; undefined: there is none. */
  readonly keyPairOf: (digest: string) => { readonly certificate: string; readonly key: string } | undefined
  readonly log: Log
  /** How long a process may neither answer nor do anything; asked at each look. */
  readonly hangsAfterMs: () => number
  /** How the proxy is started, when a sharded database needs one. */
  readonly proxy: ProxyProgram
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How long nobody was connected before an engine counts as idle; 10 s unless told. */
  readonly idlePatienceMs?: number
}
