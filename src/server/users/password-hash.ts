/**
 * Control-plane passwords: argon2id, written as the PHC string that other tools read too. The cost follows OWASP's
 * recommendation for argon2id (19 MiB, two passes, one lane), some 20 ms of one core.
 */
import { argon2, hash, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import type { UserPassword } from '#model/documents/access.ts'

const MEMORY_KIB = 19_456
const PASSES = 2
const LANES = 1
const SALT_BYTES = 16
const TAG_BYTES = 32

const derive = promisify(argon2)

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const cost = { memory: MEMORY_KIB, passes: PASSES, parallelism: LANES }
  const tag = await derive('argon2id', { message: password, nonce: salt, tagLength: TAG_BYTES, ...cost })
  return phc(salt, tag)
}

/** Of no password at all: checking one against it takes as long as against any other. */
export function decoyHash(): string {
  return phc(randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))
}

/** Everything that is kept of a password: what the API verifies, and what engines compare with. */
export async function newPassword(password: string, issuedAt: string): Promise<UserPassword> {
  return { hash: await hashPassword(password), sha256: hash('sha256', password, 'hex'), issuedAt }
}

/** False for a wrong password; throws when `phc` is no such string. */
export async function verifyPassword(password: string, phc: string): Promise<boolean> {
  const match = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([^$]+)\$([^$]+)$/.exec(phc)
  const [, memory, passes, parallelism, salt, tag] = match ?? []
  if (salt === undefined || tag === undefined) throw new Error('not a password hash that can be verified')
  const expected = Buffer.from(tag, 'base64')
  const actual = await derive('argon2id', {
    message: password,
    nonce: Buffer.from(salt, 'base64'),
    tagLength: expected.length,
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
  })
  return timingSafeEqual(actual, expected)
}

function phc(salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${MEMORY_KIB},t=${PASSES},p=${LANES}$${unpadded(salt)}$${unpadded(tag)}`
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}
