/**
 * Waiting for something to become true, with a deadline that says what was waited for. Nothing that a test waits for may
 * keep it for ever: the runner's own limit ends the whole file, and nobody learns where it stood.
 */
const POLL_MS = 10
/** Looks cost the processors that what is waited for needs: the longer it takes, the rarer they are, by this part of it. */
const POLL_SHARE = 0.1
const LONGEST_POLL_MS = 100
/** What a look has at least, however late it begins. */
const LOOK_MS = 1_000

/** Thrown by a look that has seen what it waits for become impossible: `until` hands it on at once. */
export class GiveUp extends Error {}

/** What `work` comes to; rejects when that takes longer than `ms`, and then nobody waits for it any more. */
export async function within<T>(what: string, work: Promise<T>, ms: number): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`waited ${Math.round(ms)} ms for ${what}`)), ms)
  try {
    return await Promise.race([work, late.promise])
  } finally {
    clearTimeout(timer)
  }
}

export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const began = performance.now()
  const deadline = began + timeoutMs
  let last: unknown
  for (;;) {
    try {
      const leftMs = Math.max(LOOK_MS, deadline - performance.now())
      const seen = await within('this look to end', Promise.resolve(look()), leftMs)
      if (seen !== undefined && seen !== false) return seen
      last = seen
    } catch (error) {
      if (error instanceof GiveUp) throw error
      last = error
    }
    const now = performance.now()
    if (now > deadline) throw new Error(`waited ${timeoutMs} ms for ${what}; saw last: ${last}`)
    const pauseMs = Math.min(LONGEST_POLL_MS, Math.max(POLL_MS, (now - began) * POLL_SHARE))
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}
