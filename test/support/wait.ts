/**
 * Waiting for something to become true, with a deadline that says what was waited for.
 */
const POLL_MS = 10

export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const seen = await look()
      if (seen !== undefined && seen !== false) return seen
      last = seen
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; saw last: ${last}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
