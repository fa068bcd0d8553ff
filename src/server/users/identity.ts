/**
 * Who is calling, once that is certain.
 */
import type { Rights } from './rights.ts'

export type Identity = {
  /** 0: somebody whom a directory knows, and no user of ours. */
  readonly userUid: number
  readonly userName: string
  readonly rights: Rights
  /** The password was right but has expired: nothing but changing it is allowed. */
  readonly mustChangePassword: boolean
  /** What the directory has said of them, for as long as it is remembered. */
  readonly directoryLogin?: string | undefined
  /** The login by SSO that the token stands for. */
  readonly ssoLogin?: string | undefined
}
