/**
 * The scripts that clients have loaded or run through the proxy, so that a shard which does not know one (it is new, or
 * was restarted) gets it instead of the client an error. Callers: the router, which shows every script; redirects.
 * Bounded: what was used longest ago is forgotten first, and then the client hears NOSCRIPT as from any server.
 */
import { createHash } from 'node:crypto'
import { MAX_SCRIPT_BYTES, MAX_SCRIPTS } from './limits.ts'

export class Scripts {
  readonly #bySha = new Map<string, Buffer>()
  #bytes = 0

  /** Returns its name. */
  add(script: Buffer): string {
    const sha = createHash('sha1').update(script).digest('hex')
    const known = this.#bySha.get(sha)
    if (known) this.#bySha.delete(sha)
    else this.#bytes += script.length
    this.#bySha.set(sha, known ?? Buffer.from(script))
    for (const [oldest, { length }] of this.#bySha) {
      if (this.#bySha.size <= MAX_SCRIPTS && this.#bytes <= MAX_SCRIPT_BYTES) break
      this.#bySha.delete(oldest)
      this.#bytes -= length
    }
    return sha
  }

  get(sha: string): Buffer | undefined {
    return this.#bySha.get(sha.toLowerCase())
  }

  clear(): void {
    this.#bySha.clear()
    this.#bytes = 0
  }
}
