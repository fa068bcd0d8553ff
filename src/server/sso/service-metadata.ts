/**
 * Our own metadata, for the identity provider: what we are called, where it posts assertions, by which certificate it
 * knows our requests and may encrypt assertions, and which attributes we need of a person. Good for as long as that certificate.
 */
import { X509Certificate } from 'node:crypto'
import type { Service } from './settings.ts'
import { escapeXml } from './xml.ts'

const ATTRIBUTES = [
  { name: 'firstName', isRequired: false },
  { name: 'lastName', isRequired: false },
  { name: 'email', isRequired: true },
  { name: 'redisRoleMapping', isRequired: false },
]

export function serviceMetadata({ entityId, acsUrl, sloUrl }: Service, clusterName: string, pem: string): string {
  const certificate = new X509Certificate(pem)
  const name = escapeXml(clusterName)
  const attributes = ATTRIBUTES.map(
    ({ name: attribute, isRequired }) =>
      `      <md:RequestedAttribute Name="${attribute}" FriendlyName="${attribute}" NameFormat="urn:oasis:names:tc:SAML:2.0:attrname-format:basic" isRequired="${isRequired}"/>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="${escapeXml(entityId)}" validUntil="${certificate.validToDate.toISOString()}">
  <md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
${(['signing', 'encryption'] as const).map((use) => keyDescriptor(use, certificate)).join('\n')}
    <md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="${escapeXml(sloUrl)}"/>
    <md:NameIDFormat>urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress</md:NameIDFormat>
    <md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="${escapeXml(acsUrl)}" index="1" isDefault="true"/>
    <md:AttributeConsumingService index="1">
      <md:ServiceName xml:lang="en">Holdfast ${name}</md:ServiceName>
${attributes.join('\n')}
    </md:AttributeConsumingService>
  </md:SPSSODescriptor>
</md:EntityDescriptor>
`
}

function keyDescriptor(use: 'signing' | 'encryption', { raw }: X509Certificate): string {
  return `    <md:KeyDescriptor use="${use}">
      <ds:KeyInfo><ds:X509Data><ds:X509Certificate>${raw.toString('base64')}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>
    </md:KeyDescriptor>`
}
