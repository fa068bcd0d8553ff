/**
 * What is said between us and a responder (RFC 6960): the question, and whether an answer is one. Every way in which it
 * might not be is looked at here: another certificate, somebody who may not answer, a signature, a nonce, its time.
 */
import { createHash, randomBytes, verify, X509Certificate } from 'node:crypto'
import type * as asn1Ocsp from '@peculiar/asn1-ocsp'
import type { OcspAnswer } from '#model/documents/ocsp.ts'

/** Whose clock is how wrong. */
const SKEW_MS = 300_000
/** Of an answer that does not say until when it holds. */
const OLDEST_MS = 86_400_000
const NONCE_BYTES = 32
/** More of them are no help in finding who signed. */
const MOST_SIGNERS = 8
const SHA1 = '1.3.14.3.2.26'
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'
const DIGITAL_SIGNATURE_ALGORITHMS: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.3.101.112', null],
])

/** Why it is none; a sentence for people. */
export class NoAnswer extends Error {}

export type Question = {
  readonly bytes: Buffer
  readonly issuer: X509Certificate
  readonly nonce: Buffer
  readonly certId: asn1Ocsp.CertID
}

export async function ocspQuestion(certificate: X509Certificate, issuer: X509Certificate): Promise<Question> {
  const { CertID, OCSPRequest, Request, TBSRequest, id_pkix_ocsp_nonce } = await import('@peculiar/asn1-ocsp')
  const { AlgorithmIdentifier, Certificate, Extension } = await import('@peculiar/asn1-x509')
  const { AsnConvert, OctetString } = await import('@peculiar/asn1-schema')
  const { tbsCertificate } = AsnConvert.parse(certificate.raw, Certificate)
  const { subject, subjectPublicKeyInfo } = AsnConvert.parse(issuer.raw, Certificate).tbsCertificate
  const certId = new CertID({
    // It only names whom it is about, and is the one that every responder knows.
    hashAlgorithm: new AlgorithmIdentifier({ algorithm: SHA1, parameters: null }),
    issuerNameHash: new OctetString(sha1(AsnConvert.serialize(subject))),
    issuerKeyHash: new OctetString(sha1(subjectPublicKeyInfo.subjectPublicKey)),
    serialNumber: tbsCertificate.serialNumber,
  })
  const nonce = randomBytes(NONCE_BYTES)
  const extnValue = new OctetString(AsnConvert.serialize(new OctetString(nonce)))
  const request = new OCSPRequest({
    tbsRequest: new TBSRequest({
      requestList: [new Request({ reqCert: certId })],
      requestExtensions: [new Extension({ extnID: id_pkix_ocsp_nonce, critical: false, extnValue })],
    }),
  })
  return { bytes: Buffer.from(AsnConvert.serialize(request)), issuer, nonce, certId }
}

/** Rejects with NoAnswer. */
export async function readOcspAnswer(bytes: Buffer, question: Question, nowMs: number): Promise<OcspAnswer> {
  const { BasicOCSPResponse, OCSPResponse, id_pkix_ocsp_basic } = await import('@peculiar/asn1-ocsp')
  const { AsnConvert } = await import('@peculiar/asn1-schema')
  const response = parsed(() => AsnConvert.parse(bytes, OCSPResponse))
  const { responseStatus, responseBytes } = response
  if (Number(responseStatus) !== 0)
    throw new NoAnswer(`the responder says ${WORDS[Number(responseStatus)] ?? 'that it has none'}`)
  if (responseBytes?.responseType !== id_pkix_ocsp_basic) throw new NoAnswer('the responder sent no basic response')
  const basic = parsed(() => AsnConvert.parse(responseBytes.response.buffer, BasicOCSPResponse))
  await checkSignature(basic, question.issuer, nowMs)
  await checkNonce(basic, question.nonce)
  const { producedAt, responses } = basic.tbsResponseData
  const single = responses.find(({ certID }) => isSame(certID, question.certId))
  if (!single) throw new NoAnswer('the answer is about another certificate')
  checkTimes(single, nowMs)
  const { certStatus, thisUpdate, nextUpdate } = single
  const { revoked } = certStatus
  return {
    status: revoked ? 'REVOKED' : certStatus.good === null ? 'GOOD' : 'UNKNOWN',
    producedAtMs: producedAt.getTime(),
    thisUpdateMs: thisUpdate.getTime(),
    ...(nextUpdate && { nextUpdateMs: nextUpdate.getTime() }),
    ...(revoked && { revokedAtMs: revoked.revocationTime.getTime() }),
  }
}

/** As RFC 6960 numbers them. */
const WORDS: readonly string[] = [
  '',
  'malformedRequest',
  'internalError',
  'tryLater',
  '',
  'sigRequired',
  'unauthorized',
]

/** By the authority that signed the certificate, or by whom the same authority has let answer for it. */
async function checkSignature(basic: asn1Ocsp.BasicOCSPResponse, issuer: X509Certificate, nowMs: number) {
  const { AsnConvert } = await import('@peculiar/asn1-schema')
  const { tbsResponseDataRaw, signatureAlgorithm, signature, certs = [] } = basic
  const algorithm = DIGITAL_SIGNATURE_ALGORITHMS.get(signatureAlgorithm.algorithm)
  if (algorithm === undefined || !tbsResponseDataRaw)
    throw new NoAnswer(`the answer is signed with ${signatureAlgorithm.algorithm}, which is not accepted here`)
  const isBy = ({ publicKey }: X509Certificate) =>
    isTrue(() => verify(algorithm, Buffer.from(tbsResponseDataRaw), publicKey, Buffer.from(signature)))
  if (isBy(issuer)) return
  const shown = certs
    .slice(0, MOST_SIGNERS)
    .map((one) => parsed(() => new X509Certificate(Buffer.from(AsnConvert.serialize(one)))))
  const signer = shown.find(isBy)
  if (!signer) throw new NoAnswer('the signature of the answer is wrong')
  const isDelegate =
    isTrue(() => signer.checkIssued(issuer) && signer.verify(issuer.publicKey)) &&
    signer.keyUsage?.includes(OCSP_SIGNING) === true
  if (!isDelegate) throw new NoAnswer('the answer is signed by somebody whom the issuer did not let answer')
  if (signer.validToDate.getTime() < nowMs || signer.validFromDate.getTime() > nowMs + SKEW_MS)
    throw new NoAnswer('the certificate of the responder is not valid now')
}

/** Responders that sign beforehand send none; one that is there is ours. */
async function checkNonce({ tbsResponseData }: asn1Ocsp.BasicOCSPResponse, nonce: Buffer): Promise<void> {
  const { id_pkix_ocsp_nonce } = await import('@peculiar/asn1-ocsp')
  const found = tbsResponseData.responseExtensions?.find(({ extnID }) => extnID === id_pkix_ocsp_nonce)
  if (!found) return
  const value = Buffer.from(found.extnValue.buffer)
  // An octet string within it, or, from some responders, the bytes themselves.
  const isOurs = value.equals(nonce) || (value.length === NONCE_BYTES + 2 && value.subarray(2).equals(nonce))
  if (!isOurs) throw new NoAnswer('the answer is to another question: its nonce is not ours')
}

function checkTimes({ thisUpdate, nextUpdate }: asn1Ocsp.SingleResponse, nowMs: number): void {
  if (thisUpdate.getTime() > nowMs + SKEW_MS) throw new NoAnswer('the answer is from the future')
  const untilMs = nextUpdate?.getTime() ?? thisUpdate.getTime() + OLDEST_MS
  if (untilMs < nowMs - SKEW_MS) throw new NoAnswer('the answer has expired')
}

function isSame(one: asn1Ocsp.CertID, other: asn1Ocsp.CertID): boolean {
  const same = (a: ArrayBuffer, b: ArrayBuffer) => Buffer.from(a).equals(Buffer.from(b))
  return (
    one.hashAlgorithm.algorithm === other.hashAlgorithm.algorithm &&
    same(one.serialNumber, other.serialNumber) &&
    same(one.issuerNameHash.buffer, other.issuerNameHash.buffer) &&
    same(one.issuerKeyHash.buffer, other.issuerKeyHash.buffer)
  )
}

function sha1(bytes: ArrayBuffer): Buffer {
  return createHash('sha1').update(Buffer.from(bytes)).digest()
}

function parsed<T>(parse: () => T): T {
  try {
    return parse()
  } catch {
    throw new NoAnswer('what the responder sent is no OCSP response')
  }
}

/** Keys of a kind that does not go with the algorithm make it throw. */
function isTrue(check: () => boolean): boolean {
  try {
    return check()
  } catch {
    return false
  }
}
