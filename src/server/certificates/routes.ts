/**
 * The routes of certificates: those of the cluster by their names, and those of single databases. Private keys go in and
 * never come out.
 */
import Type from 'typebox'
import type { RefusalCode } from '../errors.ts'
import { DRY_RUN } from '../http/query.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import {
  deleteCertificate,
  readCertificate,
  replaceCertificate,
  replaceCertificates,
  rotateCertificates,
} from './cluster.ts'
import { deleteOfDatabase, readOfDatabase, readOfDatabases, replaceOfDatabase } from './databases.ts'

const BAD: readonly RefusalCode[] = [
  'invalid_field',
  'missing_field',
  'unknown_field',
  'invalid_certificate',
  'invalid_private_key',
  'certificate_key_mismatch',
  'certificate_expired',
]
const REPLACE: readonly RefusalCode[] = [...BAD, 'wrong_cluster_state_id', 'busy']
const CertificateBody = Type.Object({
  name: Type.String(),
  certificate: Type.String(),
  key: Type.Optional(Type.String()),
})
const DatabaseCertificate = Type.Object({
  bdb_uid: Type.String(),
  cert: Type.String(),
  not_before: Type.String(),
  not_after: Type.String(),
})
const LIST: readonly QueryParameter[] = [
  { name: 'page', description: 'Which page, from 1', schema: Type.Integer({ minimum: 1 }) },
  { name: 'page_size', description: 'Databases on a page', schema: Type.Integer({ minimum: 1 }) },
  { name: 'expires_before', description: 'Those alone that run out before then', schema: Type.String() },
  { name: 'tls_mode', description: 'Those alone whose database has this tls_mode', schema: Type.String() },
]

export const certificateRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/certificates',
    access: 'view_cluster_info',
    summary: 'The certificates of the cluster, without their keys',
    answers: Type.Record(Type.String(), Type.String()),
    refusals: [],
    handle: readCertificate,
  },
  {
    method: 'PUT',
    path: '/v1/cluster/certificates',
    access: 'update_cluster',
    summary: 'Replace certificates: all of those given, or none',
    body: Type.Object({ certificates: Type.Array(CertificateBody) }),
    refusals: REPLACE,
    handle: replaceCertificates,
  },
  {
    method: 'PUT',
    path: '/v1/cluster/update_cert',
    access: 'update_cluster',
    summary: 'Replace one certificate',
    body: CertificateBody,
    refusals: REPLACE,
    handle: replaceCertificate,
  },
  {
    method: 'POST',
    path: '/v1/cluster/certificates/rotate',
    access: 'update_cluster',
    summary: 'Make the internal certificates of the cluster, or the named one, anew',
    body: Type.Object({ name: Type.Optional(Type.String()) }),
    refusals: ['invalid_field', 'unknown_field', 'certificate_not_found', 'wrong_cluster_state_id', 'busy'],
    handle: rotateCertificates,
  },
  {
    method: 'DELETE',
    path: '/v1/cluster/certificates/{certificate_name}',
    access: 'update_cluster',
    summary: 'Remove a certificate that the cluster can do without',
    refusals: ['certificate_not_found', 'certificate_required', 'busy'],
    handle: deleteCertificate,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/certificates',
    access: 'view_all_bdbs_info',
    summary: 'The certificates that single databases have',
    query: LIST,
    answers: Type.Array(DatabaseCertificate),
    refusals: ['invalid_query'],
    handle: readOfDatabases,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/certificates',
    access: 'view_bdb_info',
    summary: 'The certificate of a database that has its own',
    answers: DatabaseCertificate,
    refusals: ['db_not_exist', 'certificate_not_found'],
    handle: readOfDatabase,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/certificates',
    access: 'update_bdb',
    summary: 'Give a database a certificate of its own',
    query: [DRY_RUN],
    body: Type.Object({ cert: Type.String(), private_key: Type.String() }),
    answers: DatabaseCertificate,
    refusals: [...BAD, 'db_not_exist', 'busy', 'invalid_query'],
    handle: replaceOfDatabase,
  },
  {
    method: 'DELETE',
    path: '/v1/bdbs/{uid}/certificates',
    access: 'update_bdb',
    summary: 'Let a database show the certificate of the cluster again',
    refusals: ['db_not_exist', 'certificate_not_found'],
    handle: deleteOfDatabase,
  },
]
