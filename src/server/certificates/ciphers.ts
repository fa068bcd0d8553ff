/**
 * Ciphers and versions of TLS that the cluster chooses, checked before they are kept: a list that selects nothing would
 * keep everybody out. Asked of our own OpenSSL, which knows what the engines' knows.
 */
import { createSecureContext } from 'node:tls'
import { refuse } from '../errors.ts'

type Settings = Readonly<Record<string, unknown>>

const LISTS = ['control_cipher_suites', 'data_cipher_list'] as const
const SUITES = ['data_cipher_suites_tls_1_3'] as const

/** Throws a Refusal. `given`: the settings that somebody wants to change. */
export function checkCiphers(given: Settings): void {
  for (const field of LISTS) {
    const ciphers = given[field]
    if (typeof ciphers !== 'string' || ciphers === '' || selectsSome(ciphers)) continue
    const description = `${field} selects no cipher that OpenSSL knows; ECDHE-RSA-AES256-GCM-SHA384:HIGH:!aNULL would be one.`
    refuse('invalid_configuration', { field, description })
  }
  for (const field of SUITES) {
    const suites = given[field]
    const unknown = Array.isArray(suites) ? suites.find((suite) => !selectsSome(String(suite))) : undefined
    if (unknown === undefined) continue
    const description = `${field} names ${JSON.stringify(unknown)}, which is no cipher of TLS 1.3; TLS_AES_256_GCM_SHA384 is.`
    refuse('invalid_configuration', { field, description })
  }
}

export type ApiTls = { readonly minVersion: 'TLSv1.2' | 'TLSv1.3'; readonly ciphers: string | undefined }

/** How the API speaks TLS; without ciphers: as Node.js chooses. The list does not speak of TLS 1.3, whose ciphers stay. */
export function apiTls({ min_control_TLS_version, control_cipher_suites }: Settings): ApiTls {
  const minVersion = min_control_TLS_version === '1.3' ? 'TLSv1.3' : 'TLSv1.2'
  const list = typeof control_cipher_suites === 'string' ? control_cipher_suites : ''
  return { minVersion, ciphers: list === '' ? undefined : `${TLS_1_3}:${list}` }
}

const TLS_1_3 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

function selectsSome(ciphers: string): boolean {
  try {
    createSecureContext({ ciphers })
    return true
  } catch {
    return false
  }
}
