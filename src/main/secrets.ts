/**
 * The files of the data folder that only its owner may read: the cluster's key, the API's key and certificate, and the
 * generated password of the first administrator.
 */
import { createHmac, randomBytes, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type KeyAndCertificate, selfSignedCertificate } from '#server/certificates/self-signed.ts'
import { KEY_BYTES } from '#store/sealing.ts'
import { writeSecretFile } from './data-folder.ts'

/**
 * The keys under which secrets are sealed at rest, one made at the first start: the first seals, all open. There are
 * several only until everything is sealed under the first. `replace` puts a new one before them.
 */
export async function clusterKeys(dataDir: string, replace = false): Promise<[Buffer, ...Buffer[]]> {
  const path = keyPath(dataDir)
  const text = await readIfThere(path)
  if (text === null && (await readIfThere(join(dataDir, 'folder-id'))) !== null) {
    throw new Error(`${path} is missing: without it the secrets in the state cannot be read; put it back from a copy`)
  }
  const known = (text ?? '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => Buffer.from(line.trim(), 'hex'))
  if (text !== null && (known.length === 0 || known.some((key) => key.length !== KEY_BYTES)))
    throw new Error(`${path} is not a key of ${KEY_BYTES} bytes in hex`)
  const [first, ...others] = known
  if (first && !replace) return [first, ...others]
  const keys: [Buffer, ...Buffer[]] = [randomBytes(KEY_BYTES), ...known]
  await writeKeys(dataDir, keys)
  return keys
}

/** Once nothing is sealed under the others any more. */
export async function keepOnlyKey(dataDir: string, key: Buffer): Promise<void> {
  await writeKeys(dataDir, [key])
}

function keyPath(dataDir: string): string {
  return join(dataDir, 'cluster.key')
}

async function writeKeys(dataDir: string, keys: readonly Buffer[]): Promise<void> {
  await writeSecretFile(keyPath(dataDir), keys.map((key) => `${key.toString('hex')}\n`).join(''))
}

/**
 * What the passwords of our own accounts in engines are derived from. A file of its own: engines outlive the control
 * plane, and must know it again after the cluster's key has been replaced.
 */
export async function controlSecret(dataDir: string, keys: readonly [Buffer, ...Buffer[]]): Promise<Buffer> {
  const path = join(dataDir, 'control.secret')
  const text = await readIfThere(path)
  if (text !== null) return Buffer.from(text.trim(), 'hex')
  const oldest = keys.at(-1) ?? keys[0]
  const made = createHmac('sha256', oldest).update('control accounts').digest()
  await writeSecretFile(path, `${made.toString('hex')}\n`)
  return made
}

/** With less than this left it is made anew at a start: clients that trust it need time to learn the next one. */
const RENEW_BEFORE_MS = 30 * 86_400_000

export function apiCertificatePath(dataDir: string): string {
  return join(dataDir, 'tls', 'api.pem')
}

/**
 * The API's certificate; made when there is none, when it runs out, or anew when `renew`. Key and certificate are one
 * file, so that no crash can leave two that do not belong together; `api.crt` is a copy for clients.
 */
export async function apiCertificate(
  dataDir: string,
  names: readonly [string, ...string[]],
  nowMs: number,
  renew: boolean,
): Promise<KeyAndCertificate> {
  const folder = join(dataDir, 'tls')
  const path = apiCertificatePath(dataDir)
  const known = renew ? null : parsePair(await readIfThere(path))
  if (known && new X509Certificate(known.cert).validToDate.getTime() - nowMs > RENEW_BEFORE_MS) return known
  const made = await selfSignedCertificate(names, nowMs)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeSecretFile(path, made.key + made.cert)
  await writeSecretFile(join(folder, 'api.crt'), made.cert)
  return made
}

function parsePair(pem: string | null): KeyAndCertificate | null {
  const at = pem?.indexOf('-----BEGIN CERTIFICATE-----') ?? -1
  return pem === null || at < 0 ? null : { key: pem.slice(0, at), cert: pem.slice(at) }
}

export function passwordPath(dataDir: string): string {
  return join(dataDir, 'admin-password')
}

/** A password that was made up is kept where only the owner of the folder can read it. */
export async function generatePassword(dataDir: string): Promise<string> {
  const password = randomBytes(18).toString('base64url')
  await writeSecretFile(passwordPath(dataDir), `${password}\n`)
  return password
}

export async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}
