/**
 * Encryption and client certificates of a database. What neither an engine nor the proxy can check is refused: accepted, it
 * would admit clients that somebody believes to be kept out.
 */
import { certificateSubject, subjectValidation } from '../certificate-subject.ts'
import { applied, refused } from '../field.ts'
import { flag, list, oneOf, PEM_MAX, record, text } from '../shapes.ts'

const NO_PEERS = 'There are no peer clusters.'
const STRICT = 'An engine is strict with certificates, and cannot be told otherwise.'

const certificate = () => record({ client_cert: text('', 'An X.509 certificate in PEM.', { maxLength: PEM_MAX }) })

export const tlsFields = {
  tls_mode: applied(
    oneOf(
      ['enabled', 'disabled', 'replica_ssl'],
      'disabled',
      'Whether clients must speak TLS; replica_ssl: only other clusters that copy from here, of which there are none.',
    ),
  ),
  ssl: applied(flag(false, 'Require TLS; see tls_mode.'), { deprecated: true }),
  authentication_ssl_client_certs: applied(
    list(certificate(), 'Certificates of the clients that may connect, or of those that signed them.', 1_000),
  ),
  authentication_ssl_crdt_certs: refused(
    list(certificate(), 'Certificates of peer clusters that may connect.', 1_000),
    {
      accepts: [[]],
      why: NO_PEERS,
    },
  ),
  authorized_names: applied(
    list(text('', 'A name.'), 'Common names that certificates may have; see authorized_subjects.', 1_000),
    { deprecated: true },
  ),
  authorized_subjects: applied(list(certificateSubject(), 'Subjects that certificates may have.', 1_000)),
  client_cert_subject_validation_type: applied(
    subjectValidation(
      'How much of a client’s subject has to be that of one of authorized_subjects; a certificate that is itself among ' +
        'authentication_ssl_client_certs is not compared.',
    ),
  ),
  enforce_client_authentication: applied(
    oneOf(['enabled', 'disabled'], 'enabled', 'Require a client certificate on TLS connections.'),
  ),
  mtls_allow_outdated_certs: refused(flag(false, 'Admit expired certificates.'), { accepts: [false], why: STRICT }),
  mtls_allow_weak_hashing: refused(flag(false, 'Admit certificates with a weak digest.'), {
    accepts: [false],
    why: STRICT,
  }),
  data_internode_encryption: applied(flag(false, 'Encrypt what its shards say to each other, and the proxy to them.')),
}
