/**
 * What logins leave behind: how often somebody guessed wrong, who is locked out, who was here when. Written behind the
 * answer, so that it takes as long for a name that exists as for one that does not.
 */
import { ClusterPolicy } from '#model/cluster-policy.ts'
import type { LoginDocument, UserDocument } from '#model/documents/access.ts'
import { defaultsOf } from '#model/parse.ts'
import type { State } from '#store/state.ts'

/** How exactly the last login is known. */
const LAST_LOGIN_EVERY_MS = 60_000
const TRIES = 20

export class LoginGuard {
  readonly #state: State
  readonly #now: () => number
  readonly #onTrouble: (error: unknown) => void

  constructor(options: { state: State; now: () => number; onTrouble: (error: unknown) => void }) {
    this.#state = options.state
    this.#now = options.now
    this.#onTrouble = options.onTrouble
  }

  isLocked(userUid: number): boolean {
    const login = this.#state.logins.get(userUid)?.value
    if (!login || login.lockedAtMs === 0) return false
    const seconds = this.#policy('login_lockout_duration')
    return seconds === 0 || this.#now() < login.lockedAtMs + seconds * 1000
  }

  failed(user: UserDocument): void {
    const nowMs = this.#now()
    const threshold = this.#policy('login_lockout_threshold')
    const resetMs = this.#policy('login_lockout_counter_reset_after') * 1000
    this.#write(user.uid, (login) => {
      const failures = nowMs - login.lastFailureAtMs > resetMs ? 1 : login.failures + 1
      const isLocked = threshold > 0 && failures >= threshold
      return { ...login, failures, lastFailureAtMs: nowMs, lockedAtMs: isLocked ? nowMs : 0 }
    })
  }

  succeeded(userUid: number): void {
    const nowMs = this.#now()
    const login = this.#state.logins.get(userUid)?.value
    const isNews = !login || login.failures > 0 || nowMs - login.lastLoginAtMs > LAST_LOGIN_EVERY_MS
    if (isNews) this.#write(userUid, (before) => ({ ...before, failures: 0, lockedAtMs: 0, lastLoginAtMs: nowMs }))
  }

  #write(userUid: number, change: (login: LoginDocument) => LoginDocument): void {
    void this.#writeSoon(userUid, change).catch(this.#onTrouble)
  }

  async #writeSoon(userUid: number, change: (login: LoginDocument) => LoginDocument): Promise<void> {
    const { logins, users, view } = this.#state
    for (let tries = 0; tries < TRIES; tries++) {
      const user = users.get(userUid)
      if (!user) return
      const held = logins.get(userUid)
      const changed = change(held?.value ?? nothing(userUid))
      const compare = [logins.unchanged(userUid, held), users.unchanged(userUid, user)]
      const outcome = await view.commit({ compare, changes: [logins.put(userUid, changed)], configuration: false })
      if (outcome.committed) return
    }
  }

  #policy(name: string): number {
    return Number(this.#state.cluster.get('')?.value.policy[name] ?? DEFAULTS[name])
  }
}

const DEFAULTS = defaultsOf(ClusterPolicy)

function nothing(userUid: number): LoginDocument {
  return { userUid, failures: 0, lastFailureAtMs: 0, lockedAtMs: 0, lastLoginAtMs: 0 }
}
