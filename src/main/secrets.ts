/**
 * The files of the data folder that only its owner may read: the cluster's key, the API's key and certificate, and the
 * generated password of the first administrator.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type KeyAndCertificate, selfSignedCertificate } from '#server/certificates/self-signed.ts'
import { KEY_BYTES } from '#store/sealing.ts'
import { writeSecretFile } from './data-folder.ts'

/** The key under which secrets are sealed at rest; made at the first start. */
export async function clusterKey(dataDir: string): Promise<Buffer> {
  const path = join(dataDir, 'cluster.key')
  const text = await readIfThere(path)
  if (text !== null) {
    const key = Buffer.from(text.trim(), 'hex')
    if (key.length !== KEY_BYTES) throw new Error(`${path} is not a key of ${KEY_BYTES} bytes in hex`)
    return key
  }
  if ((await readIfThere(join(dataDir, 'cluster-id'))) !== null) {
    throw new Error(`${path} is missing: without it the secrets in the state cannot be read; put it back from a copy`)
  }
  const key = randomBytes(KEY_BYTES)
  await writeSecretFile(path, `${key.toString('hex')}\n`)
  return key
}

/** The API's certificate; made when there is none, or anew when `renew`. */
export async function apiCertificate(
  dataDir: string,
  names: readonly [string, ...string[]],
  nowMs: number,
  renew: boolean,
): Promise<KeyAndCertificate> {
  const folder = join(dataDir, 'tls')
  const paths = { key: join(folder, 'api.key'), cert: join(folder, 'api.crt') }
  if (!renew) {
    const [key, cert] = await Promise.all([readIfThere(paths.key), readIfThere(paths.cert)])
    if (key !== null && cert !== null) return { key, cert }
  }
  const made = await selfSignedCertificate(names, nowMs)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await writeSecretFile(paths.key, made.key)
  await writeSecretFile(paths.cert, made.cert)
  return made
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
