import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { selfSignedCertificate } from '../certificates/self-signed.ts'
import { isAuthorized, sameLine, subjectLine } from './client-certificates.ts'

const { cert } = await selfSignedCertificate(['app.example.com', 'other.example.com', '127.0.0.1'], Date.now())
const certificate = new X509Certificate(cert)

test('a subject is written as RFC 2253 has it, last attribute first', () => {
  assert.equal(subjectLine(certificate), 'O=Holdfast,CN=app.example.com')
  assert.equal(sameLine('O=Holdfast , CN=app.example.com', subjectLine(certificate)), true)
  assert.equal(sameLine('CN=app.example.com,O=Holdfast', subjectLine(certificate)), false)
})

test('subjects come in by the rule, and by no other', () => {
  const authorized = (rule: 'disabled' | 'san_cn' | 'full_subject', ...subjects: { CN: string; O?: string }[]) =>
    isAuthorized(certificate, rule, subjects)
  assert.equal(authorized('disabled'), true)
  assert.equal(authorized('san_cn'), false)
  for (const CN of ['app.example.com', 'other.example.com']) assert.equal(authorized('san_cn', { CN }), true)
  for (const CN of ['127.0.0.1', 'App.example.com', '', 'example.com'])
    assert.equal(authorized('san_cn', { CN }), false)
  assert.equal(authorized('full_subject', { CN: 'app.example.com' }), false, 'it has an organisation')
  assert.equal(authorized('full_subject', { CN: 'app.example.com', O: 'Holdfast' }), true)
  assert.equal(authorized('full_subject', { CN: 'other.example.com', O: 'Holdfast' }), false)
})
