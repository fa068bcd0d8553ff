/**
 * Tokens that stand for a login for a while (JSON Web Tokens, HS256 under a key of the cluster). Each names the passwords
 * that the user had: any change of them makes it worthless, and so does deleting the user. Of a login by SSO it names that
 * login: without it, it counts for nothing.
 */
import { createHmac } from 'node:crypto'
import type { UserDocument } from '#model/documents/access.ts'

/** When the caller does not say. */
export const TOKEN_TTL_SECONDS = 300

export type TokenClaims = {
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
    const { SignJWT } = await import('jose')
    const now = Math.floor(nowMs / 1000)
    return await new SignJWT({ passwords: this.markOf(user), ...(ssoLogin === undefined ? {} : { sso: ssoLogin }) })
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
      .setSubject(String(user.uid))
      .setIssuedAt(now)
      .setExpirationTime(now + ttlSeconds)
      .sign(this.#key)
  }

  /** Null for anything that is no token of ours, or none any more. */
  async read(token: string, nowMs: number): Promise<TokenClaims | null> {
    const { jwtVerify } = await import('jose')
    const currentDate = new Date(nowMs)
    const verified = await jwtVerify(token, this.#key, { algorithms: ['HS256'], currentDate }).catch(() => null)
    const { sub, exp, passwords, sso } = verified?.payload ?? {}
    if (sub === undefined || exp === undefined || typeof passwords !== 'string') return null
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
