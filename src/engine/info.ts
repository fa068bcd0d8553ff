/**
 * The text of INFO → a record of its fields, as the engine names them. Callers: the agent and what samples statistics.
 * Section headings are left out: no two sections share a field.
 */
export function parseInfo(text: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':')
    if (colon > 0 && !line.startsWith('#')) fields[line.slice(0, colon)] = line.slice(colon + 1).trimEnd()
  }
  return fields
}
