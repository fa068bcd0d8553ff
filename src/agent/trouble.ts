/**
 * What went wrong, in the words that the planner understands: everything a step throws becomes a StepFailed here, and
 * what an engine says is sorted by what a planner can do about it. Bugs are not trouble and pass as they are.
 */
import { AccountRefused } from '#engine/accounts.ts'
import { CallTimeout, ConnectionLost, EngineError } from '#engine/control-connection.ts'
import { StepFailed } from '#plan/agent.ts'

const DISK_CODES = new Set(['ENOSPC', 'EROFS', 'EDQUOT', 'EACCES', 'EPERM', 'EIO', 'EMFILE', 'ENFILE'])

export function kindOfWords(words: string | null): 'engine' | 'port' | 'disk' {
  if (!words) return 'engine'
  if (/Address already in use|Failed listening on port|Unable to listen on/i.test(words)) return 'port'
  return /No space left|Disk quota|Read-only file system|Errors? (saving|writing)|MISCONF/i.test(words)
    ? 'disk'
    : 'engine'
}

export function asStepFailed(error: unknown, doing: string, signal: AbortSignal): unknown {
  if (error instanceof StepFailed) return error
  if (signal.aborted) {
    const isLate = signal.reason instanceof Error && signal.reason.name === 'TimeoutError'
    return new StepFailed(isLate ? 'timeout' : 'aborted', `${doing} was given up`, null, { cause: error })
  }
  if (error instanceof EngineError) {
    return new StepFailed(kindOfWords(error.message), `${doing}: the engine refuses`, error.message, { cause: error })
  }
  if (error instanceof ConnectionLost)
    return new StepFailed('engine', `${doing}: ${error.message}`, null, { cause: error })
  if (error instanceof CallTimeout)
    return new StepFailed('timeout', `${doing}: ${error.message}`, null, { cause: error })
  if (error instanceof AccountRefused)
    return new StepFailed('engine', `${doing}: ${error.message}`, null, { cause: error })
  if (error instanceof Error && 'code' in error && DISK_CODES.has(String(error.code))) {
    return new StepFailed('disk', `${doing}: ${error.message}`, null, { cause: error })
  }
  return error
}
