/**
 * The log: one line of JSON per decision, in the data folder, readable by its owner only. A disk that is full must not
 * stop the control plane, so what cannot be written is dropped.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import pino from 'pino'
import type { ServerLog } from '#server/parts.ts'

/** Wherever a document or a request is logged by mistake, these stay out. */
const SECRETS = ['password', '*.password', '*.*.password', 'authorization', '*.authorization', '*.config', 'config']

export function openLog(path: string): { log: ServerLog; close: () => Promise<void> } {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const destination = pino.destination({ dest: path, append: true, sync: true })
  destination.on('error', () => undefined)
  chmodSync(path, 0o600)
  const log = pino(
    { level: 'info', redact: { paths: SECRETS, censor: '[secret]' }, base: { pid: process.pid } },
    destination,
  )
  return {
    log,
    close: async () => {
      try {
        destination.flushSync()
      } catch {
        // Nobody is left to tell.
      }
    },
  }
}
