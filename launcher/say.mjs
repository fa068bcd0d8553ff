// How the launcher talks: one line at a time, always on stderr, because stdout belongs to the program that is
// started (`npm run -s openapi` prints a document there and nothing else).

export function say(line) {
  process.stderr.write(`holdfast: ${line}\n`)
}

/** The launcher cannot go on, and the person in front of it can do something about it: one line and exit code 2. */
export class CannotGoOn extends Error {
  name = 'CannotGoOn'
}

export function seconds(sinceMs) {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`
}
