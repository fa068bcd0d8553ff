/**
 * What a step works with. Callers: the agent makes one for every step it carries out.
 */
import type { Limiter } from './limiter.ts'
import type { LocalAgentOptions } from './options.ts'
import type { Shard } from './shard.ts'
import type { Subject } from './supervise.ts'

export type StepContext = {
  readonly shard: Shard
  readonly options: LocalAgentOptions
  /** Processes that are being started. */
  readonly spawns: Limiter
  readonly signal: AbortSignal
  /** Begins to watch a process. It goes on after the step. */
  readonly watch: (process: Pick<Subject, 'process' | 'ended' | 'find'>) => void
}
