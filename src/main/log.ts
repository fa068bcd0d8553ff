/**
 * The log: one line of JSON per decision, in the data folder, readable by its owner only. A disk that is full must not
 * stop the control plane, so what cannot be written is dropped.
 */
import pino from 'pino'
import { logLevelOf, logRotationOf } from '#model/logging.ts'
import { LineFiles } from '#server/events/line-files.ts'
import type { ServerLog } from '#server/parts.ts'
import type { State } from '#store/state.ts'

/** Wherever a document or a request is logged by mistake, these stay out. */
const SECRETS = ['password', '*.password', '*.*.password', 'authorization', '*.authorization', '*.config', 'config']

export type OpenLog = {
  readonly log: ServerLog
  /** As the cluster has it, from now on. */
  follow(state: State): void
  close(): void
}

/** `folder/name.log` is the newest file; full ones are set aside under numbers. */
export function openLog(folder: string, name: string): OpenLog {
  const files = new LineFiles({ folder, name, ...logRotationOf({}) })
  const write = (line: string): void => {
    try {
      files.append(line.trimEnd())
    } catch {
      // A disk that is full must not stop the control plane.
    }
  }
  const log = pino(
    { level: 'info', redact: { paths: SECRETS, censor: '[secret]' }, base: { pid: process.pid } },
    { write },
  )
  return {
    log,
    follow: (state) => {
      const apply = () => {
        const cluster = state.cluster.get('')?.value
        log.level = logLevelOf(cluster?.logging ?? {})
        files.limit(logRotationOf(Object(cluster?.settings.logrotate_settings)))
      }
      state.view.onChange((collection) => collection === state.cluster && apply())
      apply()
    },
    close: () => files.close(),
  }
}
