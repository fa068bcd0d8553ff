/**
 * Tokens that stand for a login for a while (JSON Web Tokens, HS256 under a key of the cluster). Each names the passwords
 * that the user had: any change of them makes it worthless, and so does deleting the user. Of a login by SSO it names that
 * login: without it, it counts for nothing; of somebody whom a directory knows, what is remembered of its answer.
 */
import { createHmac } from 'node:crypto'
import type { UserDocument } from '#model/documents/access.ts'

/** When the caller does not say. */
export const TOKEN_TTL_SECONDS = 300

export type TokenClaims = UserClaims | DirectoryClaims
type DirectoryClaims = { readonly directoryLogin: string; readonly expiresAtMs: number }
type UserClaims = {
  readonly directoryLogin?: undefined
  readonly userUid: number
  readonly passwords: string
  readonly expiresAtMs: number
  /** Undefined: not by SSO. */
  readonly ssoLogin: string | undefined
}

export class Tokens {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  async issue(user: UserDocument, nowMs: number, ttlSeconds: number, ssoLogin?: string): Promise<string> {
    const claims = { passwords: this.markOf(user), ...(ssoLogin === undefined ? {} : { sso: ssoLogin }) }
    return await this.#sign(claims, String(user.uid), nowMs, ttlSeconds)
  }

  async issueToDirectory(directoryLogin: string, nowMs: number, ttlSeconds: number): Promise<string> {
    return await this.#sign({ directory: directoryLogin }, '0', nowMs, ttlSeconds)
  }

  async #sign(claims: Readonly<Record<string, string>>, subject: string, nowMs: number, ttlSeconds: number) {
    const { SignJWT } = await import('jose')
    const now = Math.floor(nowMs / 1000)
    return await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(subject)
      .setIssuedAt(now)
      .setExpirationTime(now + ttlSeconds)
      .sign(this.#key)
  }

  /** Null for anything that is no token of ours, or none any more. */
  async read(token: string, nowMs: number): Promise<TokenClaims | null> {
    const { jwtVerify } = await import('jose')
    const currentDate = new Date(nowMs)
    const verified = await jwtVerify(token, this.#key, { algorithms: ['HS256'], currentDate }).catch(() => null)
    const { sub, exp, passwords, sso, directory } = verified?.payload ?? {}
    if (sub === undefined || exp === undefined) return null
    if (typeof directory === 'string') return { directoryLogin: directory, expiresAtMs: exp * 1000 }
    if (typeof passwords !== 'string') return null
    const ssoLogin = sso === undefined ? undefined : String(sso)
    return { userUid: Number(sub), passwords, expiresAtMs: exp * 1000, ssoLogin }
  }

  /**
   * The same for as long as the user has the same passwords, however they are hashed; under the key, so that nobody who
   * has the token can try passwords on it.
   */
  markOf({ passwords }: UserDocument): string {
    const all = passwords.map(({ sha256, issuedAt }) => `${sha256} ${issuedAt}`).join('\n')
    return createHmac('sha256', this.#key).update('passwords').update(all).digest('base64url').slice(0, 22)
  }
}
