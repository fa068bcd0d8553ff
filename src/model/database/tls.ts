/**
 * Encryption and client certificates of a database. Accepted while it is not there, it would leave traffic in the clear
 * that somebody believes to be encrypted: refused until TLS comes.
 */
import { certificateSubject } from '../certificate-subject.ts'
import { kept, refused } from '../field.ts'
import { flag, list, oneOf, PEM_MAX, record, text } from '../shapes.ts'

const why = 'TLS for databases is not available yet.'
const NO_TLS = 'It says nothing while TLS is off, and TLS is not available yet.'

const certificate = () => record({ client_cert: text('', 'An X.509 certificate in PEM.', { maxLength: PEM_MAX }) })

export const tlsFields = {
  tls_mode: refused(oneOf(['enabled', 'disabled', 'replica_ssl'], 'disabled', 'Where TLS is required.'), {
    accepts: ['disabled'],
    why,
  }),
  ssl: refused(flag(false, 'Require TLS; see tls_mode.'), { accepts: [false], why }, { deprecated: true }),
  authentication_ssl_client_certs: refused(
    list(certificate(), 'Certificates of the clients that may connect.', 1_000),
    {
      accepts: [[]],
      why,
    },
  ),
  authentication_ssl_crdt_certs: refused(
    list(certificate(), 'Certificates of peer clusters that may connect.', 1_000),
    {
      accepts: [[]],
      why,
    },
  ),
  authorized_names: refused(
    list(text('', 'A name.'), 'Names that certificates must have; see authorized_subjects.', 1_000),
    { accepts: [[]], why },
    { deprecated: true },
  ),
  authorized_subjects: refused(list(certificateSubject(), 'Subjects that certificates must have.', 1_000), {
    accepts: [[]],
    why,
  }),
  client_cert_subject_validation_type: refused(
    oneOf(['disabled', 'san_cn', 'full_subject'], 'disabled', 'How much of a subject has to match.'),
    { accepts: ['disabled'], why },
  ),
  enforce_client_authentication: kept(
    oneOf(['enabled', 'disabled'], 'enabled', 'Require a client certificate on TLS connections.'),
    NO_TLS,
  ),
  mtls_allow_outdated_certs: kept(flag(false, 'Admit expired certificates.'), NO_TLS),
  mtls_allow_weak_hashing: kept(flag(false, 'Admit certificates with a weak digest.'), NO_TLS),
  data_internode_encryption: refused(flag(false, 'Encrypt traffic between nodes.'), {
    accepts: [false],
    why: 'Encryption between nodes is not available yet.',
  }),
}
