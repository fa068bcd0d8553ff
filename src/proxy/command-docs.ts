/**
 * The table of commands in docs/proxy.md, made from the one the proxy works by. Callers: the generator of the docs.
 */
import { KNOWN_COMMANDS, type Treatment } from './command-table.ts'

const MEANING: Readonly<Record<Treatment, string>> = {
  keyed:
    'Passed on untouched to the shard of the first key. When the keys are in several slots the engine answers `CROSSSLOT`',
  blocking:
    'The same over a connection of the client’s own, so that nobody else waits; it is closed when the client goes',
  split: 'One request per slot, and the replies joined. Not atomic over several slots; untouched and atomic within one',
  everywhere: 'Asked of every shard, and the replies joined; an error of one shard is the answer',
  anywhere: 'Passed on to one shard, since all would answer the same',
  local: 'Answered by the proxy, which alone knows its clients',
  session: 'Over a connection of the client’s own, for as long as its state lasts',
  refused: 'Refused: it concerns one shard or the replication, not the database',
}

export function commandTable(): string {
  const rows = Object.entries(MEANING).map(([treatment, meaning]) => {
    const names = KNOWN_COMMANDS.filter((command) => command.treatment === treatment).map(({ name }) =>
      name.toUpperCase(),
    )
    return `| ${meaning} | ${names.sort().join(', ')} |`
  })
  return ['| What happens | Commands |', '|---|---|', ...rows].join('\n')
}
