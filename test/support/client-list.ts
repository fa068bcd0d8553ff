/** What CLIENT LIST tells, one object of fields for each client. */
export function linesOf(text: unknown): Record<string, string>[] {
  const lines = String(text)
    .split('\n')
    .filter((line) => line !== '')
  return lines.map((line) => Object.fromEntries(line.split(' ').map((pair) => pair.split('=', 2))))
}
