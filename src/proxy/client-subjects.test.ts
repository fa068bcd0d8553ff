import assert from 'node:assert/strict'
import test from 'node:test'
import { hasNameOf, hasSubjectOf } from './client-subjects.ts'

const shown = {
  subject: { CN: 'app.example.com', O: 'Example, Inc.', OU: ['Ops', 'Billing'], C: 'DE' },
  subjectaltname: 'DNS:one.example.com, IP Address:127.0.0.1, DNS:two.example.com, URI:DNS:three.example.com',
}

test('by name: the common name or a DNS name, and nothing else of the certificate', () => {
  for (const CN of ['app.example.com', 'one.example.com', 'two.example.com'])
    assert.equal(hasNameOf(shown, [{ CN: 'other' }, { CN, O: 'Elsewhere' }]), true, CN)
  for (const CN of ['App.example.com', 'three.example.com', '127.0.0.1', 'example.com', '*', '*.example.com', ''])
    assert.equal(hasNameOf(shown, [{ CN }]), false, CN)
  assert.equal(hasNameOf(shown, []), false)
  assert.equal(hasNameOf({ subject: {} }, [{ CN: '' }]), false)
})

test('by name: a name that contains a list of names is one name', () => {
  const sly = { subject: { CN: 'x' }, subjectaltname: 'DNS:"a, DNS:admin, b\\" , DNS:admin", DNS:c' }
  assert.equal(hasNameOf(sly, [{ CN: 'admin' }]), false)
  assert.equal(hasNameOf(sly, [{ CN: 'a, DNS:admin, b" , DNS:admin' }]), true)
  assert.equal(hasNameOf(sly, [{ CN: 'c' }]), true)
  assert.equal(hasNameOf({ subject: {}, subjectaltname: 'DNS:"\\q", DNS:d' }, [{ CN: 'd' }]), true)
})

test('by subject: every attribute counts, in both directions', () => {
  const subject = { CN: 'app.example.com', O: 'Example, Inc.', OU: ['Billing', 'Ops'], C: 'DE' }
  assert.equal(hasSubjectOf(shown, [{ CN: 'other' }, subject]), true)
  assert.equal(hasSubjectOf(shown, [{ ...subject, L: '', ST: '' }]), true, 'an empty attribute is an absent one')
  const { O: _left, ...less } = subject
  for (const wrong of [
    less,
    { ...subject, L: 'Berlin' },
    { ...subject, OU: ['Ops'] },
    { ...subject, OU: ['Ops', 'Ops'] },
    { ...subject, CN: 'one.example.com' },
    { ...subject, O: 'example, inc.' },
    { ...subject, CN: '*' },
  ])
    assert.equal(hasSubjectOf(shown, [wrong]), false, JSON.stringify(wrong))
})
