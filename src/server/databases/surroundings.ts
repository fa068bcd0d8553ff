/**
 * What the rest of the cluster decides about databases, read from the state at every look.
 */
import { hash, X509Certificate } from 'node:crypto'
import { canBeAccount } from '#model/access/names.ts'
import { databaseCertificateId } from '#model/certificate-names.ts'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import type { Person, ShownCertificate, Surroundings, TlsPolicy } from '#plan/shard-spec.ts'
import type { State } from '#store/state.ts'

/** Without an answer and without using its processor. */
const HANGS_AFTER_MS = { high: 1_500, low: 10_000 } as const

type KnownCertificate = CertificateDocument & { readonly digest: string }

export class LiveSurroundings implements Surroundings {
  readonly listenHost: string
  readonly #state: State
  #people: readonly Person[] | undefined
  #acls: ReadonlyMap<number, string> | undefined

  constructor(state: State, listenHost: string) {
    this.#state = state
    this.listenHost = listenHost
    state.view.onChange((collection) => {
      if (collection === state.users) this.#people = undefined
      if (collection === state.redisAcls) this.#acls = undefined
    })
  }

  addressOf(nodeUid: number): string {
    return this.#state.nodes.get(nodeUid)?.value.address ?? ''
  }

  get people(): readonly Person[] {
    this.#people ??= [...this.#state.users.values()]
      .map(({ value }) => value)
      .filter(({ name, passwords }) => canBeAccount(name) && passwords.length > 0)
      .sort((one, other) => one.uid - other.uid)
      .map(({ name, passwords, roleUids }) => ({
        name,
        passwordHashes: passwords.map(({ sha256 }) => sha256),
        roleUids,
      }))
    return this.#people
  }

  get acls(): ReadonlyMap<number, string> {
    this.#acls ??= new Map([...this.#state.redisAcls.values()].map(({ value }) => [value.uid, value.acl]))
    return this.#acls
  }

  get tls(): TlsPolicy {
    const { min_data_TLS_version, data_cipher_list, data_cipher_suites_tls_1_3 } =
      this.#state.cluster.get('')?.value.settings ?? {}
    const suites = Array.isArray(data_cipher_suites_tls_1_3) ? data_cipher_suites_tls_1_3 : []
    return {
      minVersion: min_data_TLS_version === '1.3' ? '1.3' : '1.2',
      ciphers: typeof data_cipher_list === 'string' ? data_cipher_list : '',
      cipherSuites: suites.join(':'),
    }
  }

  /** That of the database, or the one that all others share. */
  readonly certificateOf = (databaseUid: number): ShownCertificate | undefined => {
    const { certificates } = this.#state
    const held = certificates.get(databaseCertificateId(databaseUid)) ?? certificates.get('proxy')
    return held && { ...held.value, digest: digestOf(held.value.certificate), isSelfSigned: isSelfSigned(held.value) }
  }

  get internodeCertificate(): ShownCertificate | undefined {
    const held = this.#state.certificates.get('data_internode_encryption')
    return held && { ...held.value, digest: digestOf(held.value.certificate), isSelfSigned: true }
  }

  /** For the agent, which is told digests only. */
  readonly keyPairOf = (digest: string): KnownCertificate | undefined => {
    const held = [...this.#state.certificates.values()].find(({ value }) => digestOf(value.certificate) === digest)
    return held && { ...held.value, digest }
  }

  /** Low sensitivity is for machines that stand still for seconds, as those of others' clouds may. */
  get hangsAfterMs(): number {
    const { failure_detection_sensitivity } = this.#state.cluster.get('')?.value.policy ?? {}
    return failure_detection_sensitivity === 'low' ? HANGS_AFTER_MS.low : HANGS_AFTER_MS.high
  }

  get allChannels(): boolean {
    return this.#state.cluster.get('')?.value.policy.acl_pubsub_default !== 'resetchannels'
  }
}

function digestOf(pem: string): string {
  return hash('sha256', pem, 'hex')
}

function isSelfSigned({ certificate }: CertificateDocument): boolean {
  const own = new X509Certificate(certificate)
  return own.issuer === own.subject && own.verify(own.publicKey)
}
