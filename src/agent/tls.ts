/**
 * What an engine needs to speak TLS: files for its certificate and its key, and the settings that name them. The key is
 * encrypted on disk; the passphrase is told to the running engine and written nowhere. Files go by the digest of what is
 * in them, so that a new certificate is a new name, and the engine takes it up without a restart.
 */
import { createHash, createHmac, createPrivateKey } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { renderConfiguration } from '#engine/configuration.ts'
import { StepFailed } from '#plan/agent.ts'
import { INTERNAL_HOST } from '#plan/shard-spec.ts'
import type { ShardSpec, ShardTls } from '#plan/step.ts'
import type { Settings } from './directives.ts'
import { writeWhole } from './folder.ts'
import type { LocalAgentOptions } from './options.ts'

type Needed = Pick<LocalAgentOptions, 'dataDir' | 'controlSecret' | 'keyPairOf'>

/**
 * Where a process listens, and how. In the order in which it has to happen: the other port is closed first. `before` is
 * what it did until now. Rejects with StepFailed when the certificate is not at hand.
 */
export async function endpointSettings(options: Needed, spec: ShardSpec, before: ShardSpec | null): Promise<Settings> {
  const bind = bindOf(spec)
  const port = String(spec.listen.port)
  if (spec.tls) {
    const beside = spec.tls.port
    const ports = beside === null ? { port: '0', 'tls-port': port } : { port, 'tls-port': String(beside) }
    const others = spec.cluster ? { 'tls-cluster': 'yes' } : {}
    return { ...(await tlsSettings(options, spec.tls)), ...others, bind, ...ports }
  }
  // An engine that was built without TLS does not know the setting.
  return before?.tls ? { bind, 'tls-replication': 'no', 'tls-port': '0', port } : { bind, port }
}

/** The one setting that must stand in no file. */
const PASSPHRASE = 'tls-key-file-pass'

/**
 * One of several shards speaks with the others as soon as it starts, and must not begin in the clear: what it needs for TLS
 * stands in its configuration, except for the passphrase, which comes over its standard input.
 */
export async function tlsAtStart(
  options: Needed,
  spec: ShardSpec,
): Promise<{ readonly settings: Settings; readonly input: string } | null> {
  if (!spec.tls || !spec.cluster) return null
  const { [PASSPHRASE]: passphrase = '', ...settings } = await endpointSettings(options, spec, null)
  return { settings, input: renderConfiguration([[PASSPHRASE, passphrase]]) }
}

const EVERY_ADDRESS = '0.0.0.0'

/** Shards and the proxy meet inside the machine, wherever clients are let in. */
function bindOf({ cluster, listen }: ShardSpec): string {
  const isInside = listen.host === INTERNAL_HOST || listen.host === EVERY_ADDRESS
  return cluster && !isInside ? `${INTERNAL_HOST} ${listen.host}` : listen.host
}

async function tlsSettings({ dataDir, controlSecret, keyPairOf }: Needed, tls: ShardTls): Promise<Settings> {
  const pair = keyPairOf(tls.certificate)
  if (!pair) throw new StepFailed('missing', 'the certificate of the database is not at hand')
  const folder = join(dataDir, 'tls')
  const passphrase = createHmac('sha256', controlSecret).update(`key:${tls.certificate}`).digest('hex')
  const encrypted = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const
  const authorities = tls.trusted === '' ? pair.certificate : tls.trusted
  const paths = {
    certificate: join(folder, `${tls.certificate}.crt`),
    key: join(folder, `${tls.certificate}.key`),
    trusted: join(folder, `${createHash('sha256').update(authorities).digest('hex')}.ca`),
  }
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeWhole(paths.certificate, pair.certificate)
  await writeWhole(paths.key, String(createPrivateKey(pair.key).export(encrypted)))
  await writeWhole(paths.trusted, authorities)
  return {
    'tls-cert-file': paths.certificate,
    'tls-key-file': paths.key,
    [PASSPHRASE]: passphrase,
    'tls-ca-cert-file': paths.trusted,
    'tls-auth-clients': tls.asksClients ? 'yes' : 'no',
    'tls-protocols': tls.protocols,
    'tls-ciphers': tls.ciphers,
    'tls-ciphersuites': tls.cipherSuites,
    'tls-replication': 'yes',
  }
}
