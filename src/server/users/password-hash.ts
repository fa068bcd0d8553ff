/**
 * What logins to the API are compared with: a slow, salted hash of the SHA-256 that engines compare with, written like a
 * PHC string. So it can be made anew, with another algorithm, for passwords that nobody types in. The costs follow
 * OWASP's recommendations: argon2id 19 MiB, two passes and one lane, some 20 ms of one core; PBKDF2, where only what NIST
 * has approved is allowed, 210,000 rounds of HMAC-SHA-512, some 100 ms.
 */
import { argon2, hash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { UserPassword } from '#model/documents/access.ts'
import type { State } from '#store/state.ts'

export type HashingAlgorithm = 'argon2id' | 'PBKDF2'

const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const ROUNDS = 210_000
const SALT_BYTES = 16
const TAG_BYTES = 32
const HEADS: Readonly<Record<HashingAlgorithm, string>> = {
  argon2id: `$sha256-argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$`,
  PBKDF2: `$sha256-pbkdf2-sha512$i=${ROUNDS}$`,
}
/** Without the prefix: of the password itself, as it was made before there was a choice. */
const ARGON2ID = /^\$(sha256-)?argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/
const PBKDF2 = /^\$sha256-pbkdf2-sha512\$i=(\d+)\$([^$]+)\$([^$]+)$/

const deriveArgon2 = promisify(argon2)
const derivePbkdf2 = promisify(pbkdf2)

/** What the cluster has chosen. */
export function hashingAlgorithm({ cluster }: Pick<State, 'cluster'>): HashingAlgorithm {
  return cluster.get('')?.value.settings.password_hashing_algorithm === 'PBKDF2' ? 'PBKDF2' : 'argon2id'
}

/** Everything that is kept of a password: what the API verifies, and what engines compare with. */
export async function newPassword(
  password: string,
  issuedAt: string,
  algorithm: HashingAlgorithm,
): Promise<UserPassword> {
  const sha256 = sha256Of(password)
  return { hash: await hashAnew(sha256, algorithm), sha256, issuedAt }
}

export async function hashAnew(sha256: string, algorithm: HashingAlgorithm): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const tag =
    algorithm === 'PBKDF2'
      ? await derivePbkdf2(sha256, salt, ROUNDS, TAG_BYTES, 'sha512')
      : await deriveArgon2('argon2id', {
          message: sha256,
          nonce: salt,
          tagLength: TAG_BYTES,
          memory: MEMORY_KIB,
          passes: PASSES,
          parallelism: LANES,
        })
  return phc(algorithm, salt, tag)
}

/** Whether it would be made the same way now. */
export function isHashedWith(algorithm: HashingAlgorithm, phc: string): boolean {
  return phc.startsWith(HEADS[algorithm])
}

/** Of no password at all: checking one against it takes as long as against any other. */
export function decoyHash(algorithm: HashingAlgorithm): string {
  return phc(algorithm, randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))
}

/** False for a wrong password; throws when `phc` is no such string. */
export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const [, rounds, ...ofPbkdf2] = PBKDF2.exec(phc) ?? []
  if (rounds !== undefined) {
    const [salt, expected] = bytesOf(ofPbkdf2)
    const actual = await derivePbkdf2(sha256Of(password), salt, Number(rounds), expected.length, 'sha512')
    return timingSafeEqual(actual, expected)
  }
  const [whole, prefix, memory, passes, parallelism, ...ofArgon2] = ARGON2ID.exec(phc) ?? []
  if (whole === undefined) throw new Error('not a password hash that can be verified')
  const [nonce, expected] = bytesOf(ofArgon2)
  const actual = await deriveArgon2('argon2id', {
    message: prefix === undefined ? password : sha256Of(password),
    nonce,
    tagLength: expected.length,
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
  })
  return timingSafeEqual(actual, expected)
}

function sha256Of(password: string): string {
  return hash('sha256', password, 'hex')
}

function phc(algorithm: HashingAlgorithm, salt: Buffer, tag: Buffer): string {
  return `${HEADS[algorithm]}${unpadded(salt)}$${unpadded(tag)}`
}

function bytesOf([salt = '', tag = '']: readonly string[]): [salt: Buffer, tag: Buffer] {
  return [Buffer.from(salt, 'base64'), Buffer.from(tag, 'base64')]
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
