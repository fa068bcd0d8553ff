/**
 * What an identity provider says about somebody, once its signatures are known to be right: whether it says it to us, in
 * answer to us, and now. The library that checks the signatures leaves most of this to its callers.
 */
import type { Element } from '@xmldom/xmldom'
import { attributeOf, childrenOf, textOf } from './xml.ts'

export const ASSERTION = 'urn:oasis:names:tc:SAML:2.0:assertion'
export const PROTOCOL = 'urn:oasis:names:tc:SAML:2.0:protocol'
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success'
const BEARER = 'urn:oasis:names:tc:SAML:2.0:cm:bearer'
/** Whose clock is how wrong. */
export const SKEW_MS = 60_000
/** Older ones are refused whatever they say of themselves, so that those which were used need not be known for ever. */
const OLDEST_MS = 3_600_000
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/

/** Why nobody is let in; a sentence for the log, and never for the caller. */
export class NoLogin extends Error {}

/** Whom it must come from, whom it must be for. */
export type Expected = {
  readonly issuer: string
  readonly entityId: string
  readonly acsUrl: string
  readonly isOurRequest: (id: string) => boolean
  readonly nowMs: number
}

export type Assertion = {
  readonly id: string
  /** From then on it would be refused anyway. */
  readonly endsAtMs: number
  /** How long the identity provider lets somebody stay; infinite: it does not say. */
  readonly sessionEndsAtMs: number
  readonly nameId: string
  readonly nameIdFormat: string
  readonly sessionIndex: string
  readonly attributes: ReadonlyMap<string, readonly string[]>
}

/** The envelope. Returns the request that it answers, empty: nobody asked. Throws NoLogin. */
export function readResponse(response: Element, expected: Expected): string {
  if (attributeOf(response, 'Version') !== '2.0') throw new NoLogin('the response is not of SAML 2.0')
  const status = childrenOf(response, PROTOCOL, 'Status').flatMap((one) => childrenOf(one, PROTOCOL, 'StatusCode'))
  const [code] = status.map((one) => attributeOf(one, 'Value'))
  if (status.length !== 1 || code !== SUCCESS) throw new NoLogin(`the identity provider says ${code ?? 'nothing'}`)
  if (attributeOf(response, 'Destination') !== expected.acsUrl)
    throw new NoLogin(`the response is for ${attributeOf(response, 'Destination') || 'nobody'}`)
  for (const issuer of childrenOf(response, ASSERTION, 'Issuer')) checkIssuer(issuer, expected)
  const answered = attributeOf(response, 'InResponseTo')
  if (response.hasAttribute('InResponseTo') && !expected.isOurRequest(answered))
    throw new NoLogin('the response is to no request of ours, or too late')
  return answered
}

/** Throws NoLogin. */
export function readAssertion(assertion: Element, expected: Expected, answered: string): Assertion {
  const { nowMs } = expected
  const issuers = childrenOf(assertion, ASSERTION, 'Issuer')
  if (issuers.length !== 1) throw new NoLogin('the assertion does not say who it is from')
  for (const issuer of issuers) checkIssuer(issuer, expected)
  const id = attributeOf(assertion, 'ID')
  if (id === '') throw new NoLogin('the assertion has no ID')
  const issuedAtMs = timeOf(assertion, 'IssueInstant') ?? Number.NaN
  if (!(issuedAtMs <= nowMs + SKEW_MS)) throw new NoLogin('the assertion is from the future')
  const oldestEndMs = issuedAtMs + OLDEST_MS
  if (nowMs >= oldestEndMs) throw new NoLogin('the assertion is old')
  checkConditions(assertion, expected)
  const subject = onlyChild(assertion, 'Subject')
  const confirmedUntilMs = confirmation(subject, expected, answered)
  const statement = onlyChild(assertion, 'AuthnStatement')
  const sessionEndsAtMs = timeOf(statement, 'SessionNotOnOrAfter') ?? Number.POSITIVE_INFINITY
  if (nowMs >= sessionEndsAtMs) throw new NoLogin('the session at the identity provider is over')
  const nameId = onlyChild(subject, 'NameID')
  return {
    id,
    endsAtMs: Math.min(oldestEndMs, confirmedUntilMs + SKEW_MS),
    sessionEndsAtMs,
    nameId: textOf(nameId),
    nameIdFormat: attributeOf(nameId, 'Format'),
    sessionIndex: attributeOf(statement, 'SessionIndex'),
    attributes: attributesOf(assertion),
  }
}

function checkIssuer(issuer: Element, expected: Expected): void {
  if (textOf(issuer) !== expected.issuer) throw new NoLogin(`it is from ${textOf(issuer) || 'nobody'}`)
}

function checkConditions(assertion: Element, { nowMs, entityId }: Expected): void {
  const conditions = onlyChild(assertion, 'Conditions')
  checkTimes(conditions, nowMs, 'the assertion')
  const restrictions = childrenOf(conditions, ASSERTION, 'AudienceRestriction')
  const isForUs = (restriction: Element) =>
    childrenOf(restriction, ASSERTION, 'Audience').some((audience) => textOf(audience) === entityId)
  if (restrictions.length === 0 || !restrictions.every(isForUs)) throw new NoLogin('the assertion is for somebody else')
}

/** Until when somebody may show it to us: one of the ways to confirm the subject has to be right in everything. */
function confirmation(subject: Element, { nowMs, acsUrl }: Expected, answered: string): number {
  const problems: string[] = []
  for (const one of childrenOf(subject, ASSERTION, 'SubjectConfirmation')) {
    try {
      if (attributeOf(one, 'Method') !== BEARER) throw new NoLogin('the subject is not confirmed by bearing it')
      const data = onlyChild(one, 'SubjectConfirmationData')
      if (attributeOf(data, 'Recipient') !== acsUrl)
        throw new NoLogin(`the assertion is for ${attributeOf(data, 'Recipient') || 'nobody'}`)
      if (attributeOf(data, 'InResponseTo') !== answered)
        throw new NoLogin('the assertion and the response are to different requests')
      checkTimes(data, nowMs, 'the confirmation of the subject')
      const untilMs = timeOf(data, 'NotOnOrAfter')
      if (untilMs === undefined) throw new NoLogin('the confirmation of the subject has no end')
      return untilMs
    } catch (error) {
      if (!(error instanceof NoLogin)) throw error
      problems.push(error.message)
    }
  }
  throw new NoLogin(problems[0] ?? 'the subject is not confirmed')
}

function checkTimes(element: Element, nowMs: number, what: string): void {
  const fromMs = timeOf(element, 'NotBefore')
  const untilMs = timeOf(element, 'NotOnOrAfter')
  if (fromMs !== undefined && nowMs + SKEW_MS < fromMs) throw new NoLogin(`${what} is not valid yet`)
  if (untilMs !== undefined && nowMs - SKEW_MS >= untilMs) throw new NoLogin(`${what} is not valid any more`)
}

/** Undefined: there is none. */
function timeOf(element: Element, name: string): number | undefined {
  if (!element.hasAttribute(name)) return undefined
  const text = attributeOf(element, name)
  const atMs = TIME.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(atMs)) throw new NoLogin(`${name} is no time`)
  return atMs
}

function onlyChild(parent: Element, name: string): Element {
  const [first, ...more] = childrenOf(parent, ASSERTION, name)
  if (!first || more.length > 0) throw new NoLogin(`${parent.localName} needs one ${name}`)
  return first
}

function attributesOf(assertion: Element): Map<string, readonly string[]> {
  const attributes = new Map<string, readonly string[]>()
  for (const statement of childrenOf(assertion, ASSERTION, 'AttributeStatement'))
    for (const attribute of childrenOf(statement, ASSERTION, 'Attribute')) {
      const name = attributeOf(attribute, 'Name')
      const values = childrenOf(attribute, ASSERTION, 'AttributeValue').map(textOf)
      attributes.set(name, [...(attributes.get(name) ?? []), ...values])
    }
  return attributes
}
