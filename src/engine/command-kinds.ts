/**
 * What each command of an engine does, as the engine itself says: it reads, it writes, or neither. Callers: the agent,
 * once for each build of an engine.
 */
import type { RequestKind } from '#model/statistics/readings.ts'
import { type RespValue, textOf } from '#resp/value.ts'

/** Places in an entry of COMMAND's reply. */
const NAME = 0
const FLAGS = 2
const SUBCOMMANDS = 9

/** The reply to COMMAND → by name, as INFO commandstats writes it: `config|set` for a command within a command. */
export function commandKinds(reply: RespValue): Map<string, RequestKind> {
  const kinds = new Map<string, RequestKind>()
  for (const entry of itemsOf(reply)) add(kinds, entry)
  return kinds
}

function add(kinds: Map<string, RequestKind>, entry: RespValue): void {
  const items = itemsOf(entry)
  const name = items[NAME] && textOf(items[NAME])
  if (!name) return
  const flags = itemsOf(items[FLAGS]).map(textOf)
  kinds.set(name.toLowerCase(), flags.includes('write') ? 'write' : flags.includes('readonly') ? 'read' : 'other')
  for (const inner of itemsOf(items[SUBCOMMANDS])) add(kinds, inner)
}

function itemsOf(value: RespValue | undefined): readonly RespValue[] {
  return value && 'items' in value ? value.items : []
}
