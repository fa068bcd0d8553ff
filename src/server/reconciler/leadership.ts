/**
 * Only one reconciler of a cluster may act, and what an earlier one still has in its hands must not be written down:
 * leadership is a key under a lease, and the revision at which it was taken is the term. Every record of the reconciler
 * carries a compare on that term, so a leader that has been replaced cannot write, whatever it believes.
 */
import type { Compare, Lease, Store } from '#store/contract.ts'

const LEADER_KEY = 'leader'
/** Long enough for a slow disk or network, short enough that another node takes over within seconds. */
const LEASE_MS = 5_000
const RETRY_MS = 500

export type Term = {
  readonly compare: Compare
  /** Aborts when leadership is over; its holder must have stopped acting by then. */
  readonly over: AbortSignal
  /** Looks whether the key is still ours; ends the term when it is not. Rejects with StoreTrouble. */
  readonly check: () => Promise<void>
  readonly resign: () => Promise<void>
}

/**
 * Waits until `holder` leads. A key left by an earlier life of the same holder is taken over at once: a holder is a data
 * folder, and the lock on it proves that that life is over. Rejects only when `signal` aborts.
 */
export async function lead(
  store: Store,
  holder: string,
  onTrouble: (error: unknown) => void,
  signal: AbortSignal,
): Promise<Term> {
  for (;;) {
    signal.throwIfAborted()
    try {
      const term = await attempt(store, holder)
      if (term) return term
    } catch (error) {
      onTrouble(error)
    }
    await pause(RETRY_MS, signal)
  }
}

async function attempt(store: Store, holder: string): Promise<Term | undefined> {
  const { entries } = await store.snapshot(LEADER_KEY)
  const held = entries.find((entry) => entry.key === LEADER_KEY)
  if (held && held.value !== holder) return undefined
  const lease = await store.grantLease(LEASE_MS)
  const outcome = await store.commit({
    compare: [{ key: LEADER_KEY, modRevision: held?.modRevision ?? 0 }],
    changes: [{ kind: 'put', key: LEADER_KEY, value: holder, lease: lease.id }],
  })
  if (!outcome.committed) {
    await lease.revoke()
    return undefined
  }
  const over = new AbortController()
  void lease.lost.then(() => over.abort(new Error('leadership is over')))
  const check = async () => {
    const { entries: now } = await store.snapshot(LEADER_KEY)
    const isOurs = now.some(({ key, modRevision }) => key === LEADER_KEY && modRevision === outcome.revision)
    if (!isOurs) over.abort(new Error('somebody else leads'))
  }
  const compare = { key: LEADER_KEY, modRevision: outcome.revision }
  return { compare, over: over.signal, check, resign: () => resign(lease) }
}

/** Giving up leadership in good order is a courtesy: if it fails the lease runs out by itself. */
async function resign(lease: Lease): Promise<void> {
  await lease.revoke().catch(() => undefined)
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal.reason)
    }
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop)
      resolve()
    }, ms)
    signal.addEventListener('abort', stop, { once: true })
  })
}
