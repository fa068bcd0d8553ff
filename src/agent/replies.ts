/**
 * Replies of an engine as JSON can hold them. Callers: the agent's `command`. Status replies become true, because that
 * is what the API's callers expect; bytes that are no text lose what is not (the API offers no other form for them).
 */
import type { EngineReply } from '#plan/agent.ts'
import { type RespEntry, type RespValue, textOf } from '#resp/value.ts'

export function toEngineReply(value: RespValue): EngineReply {
  switch (value.kind) {
    case 'status':
      return true
    case 'null':
      return null
    case 'integer':
      // JSON's numbers end before the engine's do; digits are better than a wrong number.
      return typeof value.value === 'bigint' ? String(value.value) : value.value
    case 'boolean':
      return value.value
    case 'double':
      return Number.isFinite(value.value) ? value.value : String(value.value)
    case 'bulk':
    case 'verbatim':
    case 'big':
    case 'error':
      return textOf(value)
    case 'array':
    case 'set':
    case 'push':
      return value.items.map(toEngineReply)
    case 'map':
      return Object.fromEntries(value.entries.map(toJsonEntry))
    case 'attributed':
      return toEngineReply(value.value)
  }
}

function toJsonEntry([key, value]: RespEntry): [string, EngineReply] {
  return [textOf(key) ?? JSON.stringify(toEngineReply(key)), toEngineReply(value)]
}
