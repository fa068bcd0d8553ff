/**
 * The certificates of this node while it runs: those that the cluster makes for itself are made and renewed, and the API
 * shows the one that the cluster has. Before there is a cluster, the API's own lies in the data folder.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { apiTls } from '#server/certificates/ciphers.ts'
import { ensureCertificates, type Names, runningOut } from '#server/certificates/own.ts'
import type { KeyAndCertificate } from '#server/certificates/self-signed.ts'
import type { Presented } from '#server/http/listener.ts'
import type { ServerLog } from '#server/parts.ts'
import type { State } from '#store/state.ts'
import { writeSecretFile } from './data-folder.ts'
import { apiCertificate, apiCertificatePath } from './secrets.ts'

type Options = {
  readonly state: State
  readonly dataDir: string
  readonly now: () => number
  readonly log: ServerLog
}

export class NodeCertificates {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  /** What the API begins with. */
  async ofApi(names: Names): Promise<KeyAndCertificate> {
    const { state, dataDir, now } = this.#options
    const held = state.certificates.get('api')?.value
    return held ? { key: held.key, cert: held.certificate } : await apiCertificate(dataDir, names, now(), false)
  }

  /** Undefined: nobody has put it there. */
  ofName(name: string): KeyAndCertificate | undefined {
    const held = this.#options.state.certificates.get(name)?.value
    return held && { key: held.key, cert: held.certificate }
  }

  /** From the moment that there is a cluster; `present` is told whatever changes for the API. */
  async keep(names: Names, present: (presented: Presented) => void): Promise<void> {
    const { state, dataDir, log } = this.#options
    const show = () => {
      const held = state.certificates.get('api')?.value
      if (!held) return
      present({
        certificate: { key: held.key, cert: held.certificate },
        trusted: state.certificates.get('mtls_trusted_ca')?.value.certificate,
        ...apiTls(state.cluster.get('')?.value.settings ?? {}),
      })
      // For clients to trust; the key stays in the state, sealed.
      writeSecretFile(join(dataDir, 'tls', 'api.crt'), held.certificate).catch((err: unknown) =>
        log.warn({ err }, 'the certificate of the API is not in the data folder'),
      )
    }
    state.view.onChange((collection, id) => {
      const isOurs = collection === state.certificates && (id === 'api' || id === 'mtls_trusted_ca')
      if (isOurs || collection === state.cluster) show()
    })
    await this.renew(names, 0)
    show()
    await rm(apiCertificatePath(dataDir), { force: true })
  }

  /** Makes those anew that the cluster made for itself and that end within so many days; tells of others that end soon. */
  async renew(names: Names, days: number): Promise<void> {
    const { state, now, log } = this.#options
    const { key, cert } = await this.ofApi(names)
    const api = { certificate: cert, key, isOwn: true }
    await ensureCertificates(state, { names, nowMs: now(), renewDays: days, api })
    for (const { name, days: left } of runningOut(state, now()))
      log.warn(
        { certificate: name, days: left },
        'a certificate runs out soon: replace it at PUT /v1/cluster/certificates',
      )
  }
}
