/**
 * The certificates that a cluster has, by the names of the reference.
 */

/** What the cluster shows to itself, and nobody else. */
export const INTERNAL_CERTIFICATES = ['ccs_internode_encryption', 'data_internode_encryption'] as const
/** Made by the cluster itself, and always there. */
export const OWN_CERTIFICATES = [
  ...(['api', 'cm', 'proxy', 'metrics_exporter', 'syncer'] as const),
  ...INTERNAL_CERTIFICATES,
] as const
/** Says whom to trust; has no key. */
export const TRUST_CERTIFICATES = ['mtls_trusted_ca', 'sso_issuer'] as const
/** SAML signs with RSA alone. */
export const RSA_CERTIFICATES = ['sso_service', 'sso_issuer'] as const
/** There when somebody has put them there. */
export const OPTIONAL_CERTIFICATES = ['mtls_trusted_ca', 'ldap_client', 'sso_service', 'sso_issuer'] as const

export type CertificateName = (typeof OWN_CERTIFICATES)[number] | (typeof OPTIONAL_CERTIFICATES)[number]

export const CERTIFICATE_NAMES: readonly CertificateName[] = [...OWN_CERTIFICATES, ...OPTIONAL_CERTIFICATES]

export function isCertificateName(name: unknown): name is CertificateName {
  return CERTIFICATE_NAMES.some((known) => known === name)
}

/** Where the collection of certificates has that of a database. */
export function databaseCertificateId(databaseUid: number): string {
  return `database-${databaseUid}`
}
