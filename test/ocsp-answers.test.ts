/**
 * Which answers of a responder count: those that OpenSSL's own gives, and what could be wrong with one.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { ocspQuestion, type Question, readOcspAnswer } from '#server/ocsp/message.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { makeOcspAuthority, type OcspAuthority } from './support/ocsp-authority.ts'

const DAY_MS = 86_400_000

describe('answers of a responder', () => {
  const cleanUps = new CleanUpList()
  let authority: OcspAuthority
  let question: Question
  before(async () => {
    authority = await makeOcspAuthority(cleanUps)
    question = await ask('leaf', 'authority')
  }, HOOK)
  after(() => cleanUps.run(), HOOK)
  const certificate = async (name: string) => new X509Certificate(await authority.read(`${name}.crt`))
  const ask = async (about: string, by: string) => ocspQuestion(await certificate(about), await certificate(by))
  const refused = (bytes: Buffer, why: RegExp, nowMs = Date.now(), of = question) =>
    assert.rejects(readOcspAnswer(bytes, of, nowMs), { message: why })

  test('say what the index of the authority says, signed by it or by its delegate', async () => {
    const nowMs = Date.now()
    for (const signer of ['authority', 'delegate'] as const) {
      await authority.decide('good')
      const good = await readOcspAnswer(await authority.answer(question.bytes, signer, '-ndays', '2'), question, nowMs)
      assert.equal(good.status, 'GOOD')
      assert.ok(Math.abs(good.thisUpdateMs - nowMs) < 60_000)
      assert.equal(good.nextUpdateMs, good.thisUpdateMs + 2 * DAY_MS)
      await authority.decide('revoked')
      const revoked = await readOcspAnswer(await authority.answer(question.bytes, signer), question, nowMs)
      assert.equal(revoked.status, 'REVOKED')
      assert.equal(revoked.revokedAtMs, Date.parse('2025-12-24T12:00:00Z'))
      assert.equal(revoked.nextUpdateMs, undefined)
      await authority.decide('unknown')
      const unknown = await readOcspAnswer(await authority.answer(question.bytes, signer), question, nowMs)
      assert.equal(unknown.status, 'UNKNOWN')
    }
    await authority.decide('good')
  })

  test('count from nobody else, whatever certificate they have', async () => {
    await refused(await authority.answer(question.bytes, 'upstart'), /did not let answer/)
    await refused(await authority.answer(question.bytes, 'stranger'), /did not let answer/)
    await refused(await authority.answer(question.bytes, 'stranger', '-resp_no_certs'), /signature .* is wrong/)
  })

  test('count only as they were signed', async () => {
    const bytes = await authority.answer(question.bytes)
    // One bit at a time, all over it: nothing that is changed is taken for the same answer.
    for (let at = 0; at < bytes.length; at += 7) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
      const outcome = await readOcspAnswer(changed, question, Date.now()).catch((error: Error) => error)
      // The certificate that came along is not needed for what the authority signed itself.
      if (!(outcome instanceof Error)) assert.equal(outcome.status, 'GOOD', `byte ${at}`)
    }
    await refused(bytes.subarray(0, 100), /no OCSP response/)
    await refused(Buffer.from('<html>'), /no OCSP response/)
    await refused(Buffer.alloc(0), /no OCSP response/)
    await refused(Buffer.from('30030a0103', 'hex'), /tryLater/)
  })

  test('count for this question, this certificate, and as long as they say', async () => {
    const other = await ask('leaf', 'authority')
    await refused(await authority.answer(other.bytes), /nonce/)
    await refused(await authority.answer((await ask('delegate', 'authority')).bytes), /nonce/)
    const about = await authority.answer((await ask('delegate', 'authority')).bytes, 'authority')
    await refused(about, /another certificate/, Date.now(), {
      ...(await ask('leaf', 'authority')),
      nonce: nonceIn(about),
    })
    const bytes = await authority.answer(question.bytes, 'authority', '-ndays', '2')
    await readOcspAnswer(bytes, question, Date.now() + 1.9 * DAY_MS)
    await refused(bytes, /expired/, Date.now() + 2.1 * DAY_MS)
    await refused(bytes, /future/, Date.now() - DAY_MS)
    const endless = await authority.answer(question.bytes)
    await refused(endless, /expired/, Date.now() + 1.1 * DAY_MS)
    await refused(
      await authority.answer(question.bytes, 'delegate', '-ndays', '90'),
      /not valid now/,
      Date.now() + 60 * DAY_MS,
    )
  })
})

/** The nonce's identifier, then two octet strings within each other. */
function nonceIn(answer: Buffer): Buffer {
  const at = answer.indexOf(Buffer.from('06092b0601050507300102', 'hex')) + 11 + 4
  return answer.subarray(at, at + 32)
}
