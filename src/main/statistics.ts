/**
 * Wires statistics: what samples, what remembers, and the door that the rest of the program reads them through.
 */
import { join } from 'node:path'
import type { Statistics } from '#model/statistics/contract.ts'
import { History } from '#observe/history.ts'
import { Recorder } from '#observe/recorder.ts'
import { Sampler, type SamplerOptions } from '#observe/sampler.ts'

type Options = Pick<SamplerOptions, 'state' | 'agents'> & {
  readonly dataDir: string
  readonly now: () => number
  readonly log: { warn(fields: object, message: string): void; error(fields: object, message: string): void }
}

export function makeStatistics({ state, agents, dataDir, now, log }: Options): {
  readonly statistics: Statistics
  readonly sampler: Sampler
} {
  const recorder = new Recorder({ history: new History({ folder: join(dataDir, 'statistics'), log }), now })
  return { statistics: recorder, sampler: new Sampler({ state, agents, recorder, log }) }
}
