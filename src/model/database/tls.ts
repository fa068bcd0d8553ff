/**
 * Encryption and client certificates of a database. What an engine cannot check is refused: accepted, it would admit
 * clients that somebody believes to be kept out.
 */
import { certificateSubject } from '../certificate-subject.ts'
import { applied, refused } from '../field.ts'
import { flag, list, oneOf, PEM_MAX, record, text } from '../shapes.ts'

const why = 'An engine checks who signed the certificate of a client, and that it is valid; not whom it is for.'
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
  enforce_client_authentication: applied(
    oneOf(['enabled', 'disabled'], 'enabled', 'Require a client certificate on TLS connections.'),
  ),
  mtls_allow_outdated_certs: refused(flag(false, 'Admit expired certificates.'), { accepts: [false], why: STRICT }),
  mtls_allow_weak_hashing: refused(flag(false, 'Admit certificates with a weak digest.'), {
    accepts: [false],
    why: STRICT,
  }),
  data_internode_encryption: refused(flag(false, 'Encrypt traffic between nodes.'), {
    accepts: [false],
    why: 'Encryption between nodes is not available yet.',
  }),
}
