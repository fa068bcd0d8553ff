/**
 * The ids of our requests to the identity provider. Each carries its time, under a key: whether an answer is to a request
 * of ours, and in time, is read from the id itself. Anybody may ask for a login as often as they like, and nothing is
 * remembered.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

/** As the reference has it: from then on another login must be begun. */
const VALID_MS = 180_000
const NONCE_BYTES = 12
const MAC_BYTES = 20
/** No XML name begins with a digit. */
const FORM = /^_([0-9a-z]{6,11})\.([\w-]{16})\.([\w-]{27})$/

export class RequestIds {
  readonly #key: Buffer

  constructor(key: Buffer) {
    this.#key = key
  }

  issue(nowMs: number): string {
    const time = nowMs.toString(36)
    const nonce = randomBytes(NONCE_BYTES).toString('base64url')
    return `_${time}.${nonce}.${this.#mac(time, nonce).toString('base64url')}`
  }

  /** Whether we have issued it, not too long ago. */
  isOurs(id: string, nowMs: number): boolean {
    const [, time = '', nonce = '', mac = ''] = FORM.exec(id) ?? []
    const given = Buffer.from(mac, 'base64url')
    if (given.length !== MAC_BYTES || !timingSafeEqual(given, this.#mac(time, nonce))) return false
    const ageMs = nowMs - Number.parseInt(time, 36)
    return ageMs >= 0 && ageMs <= VALID_MS
  }

  #mac(time: string, nonce: string): Buffer {
    return createHmac('sha256', this.#key).update(`${time}.${nonce}`).digest().subarray(0, MAC_BYTES)
  }
}
