/**
 * Encrypts what must not be readable in the store: AES-256-GCM under the cluster's key. A sealed text names the key it
 * was made with, so that several keys can be known while one is being replaced. Used by the codecs of the documents
 * that hold secrets, and by nobody else.
 */
import { createCipheriv, createDecipheriv, createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto'

const MARK = 'sealed:1:'
const IV_BYTES = 12
const TAG_BYTES = 16
export const KEY_BYTES = 32

export class Sealer {
  readonly #keys: ReadonlyMap<string, KeyObject>
  readonly #current: string

  /** `keys`: 32 bytes each; the first seals, all open. */
  constructor(keys: readonly [Buffer, ...Buffer[]]) {
    this.#keys = new Map(keys.map((key) => [nameOf(key), createSecretKey(key)]))
    this.#current = nameOf(keys[0])
  }

  seal(text: string): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key(this.#current), iv)
    const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${MARK}${this.#current}:${sealed.toString('base64')}`
  }

  /** Throws when the text was not sealed with one of the known keys, or was changed since. */
  open(sealed: string): string {
    const [name, body] = sealed.startsWith(MARK) ? sealed.slice(MARK.length).split(':') : []
    if (name === undefined || body === undefined) throw new Error('a secret in the store is not sealed')
    const bytes = Buffer.from(body, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', this.#key(name), bytes.subarray(0, IV_BYTES))
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES))
    const text = decipher.update(bytes.subarray(IV_BYTES, bytes.length - TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  }

  #key(name: string): KeyObject {
    const key = this.#keys.get(name)
    if (!key) throw new Error(`a secret in the store was sealed with a key that is not at hand (${name})`)
    return key
  }
}

/** Tells keys apart without telling anything about them. */
function nameOf(key: Buffer): string {
  return createHash('sha256').update('holdfast key name').update(key).digest('hex').slice(0, 8)
}
