/**
 * Certificates of single databases: shown to their clients instead of the one that all others share.
 */
import { X509Certificate } from 'node:crypto'
import { databaseCertificateId } from '#model/certificate-names.ts'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import { wireTime } from '../databases/render.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { checkPair } from './check.ts'
import { refuseUnknown } from './cluster.ts'

const PAGE_SIZE = 100

export function readOfDatabases(request: ApiRequest, { state }: Parts): Answer {
  const { page, page_size: size, expires_before: before, tls_mode: mode } = request.query
  const until = before === undefined ? Number.POSITIVE_INFINITY : Date.parse(before)
  if (Number.isNaN(until))
    refuse('invalid_query', { field: 'expires_before', description: 'expires_before must be a date and time.' })
  const shown = [...state.databases.values()]
    .map(({ value }) => value)
    .filter(
      ({ uid, config }) =>
        isInReach(request, uid, 'view_all_bdbs_info') && (mode ?? config.tls_mode) === config.tls_mode,
    )
    .sort((one, other) => one.uid - other.uid)
    .flatMap(({ uid }) => {
      const held = state.certificates.get(databaseCertificateId(uid))
      return held ? [{ uid, certificate: held.value }] : []
    })
    .filter(({ certificate }) => new X509Certificate(certificate.certificate).validToDate.getTime() < until)
  const pageSize = wholeNumber(size, 'page_size', PAGE_SIZE)
  const from = (wholeNumber(page, 'page', 1) - 1) * pageSize
  return { json: shown.slice(from, from + pageSize).map(({ uid, certificate }) => render(uid, certificate)) }
}

export function readOfDatabase(request: ApiRequest, parts: Parts): Answer {
  const uid = existing(request, parts)
  const held = parts.state.certificates.get(databaseCertificateId(uid)) ?? refuse('certificate_not_found')
  return { json: render(uid, held.value) }
}

export async function replaceOfDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const uid = existing(request, parts)
  const { cert, private_key: key, ...rest } = objectBody(request.body)
  refuseUnknown(rest, 'cert and private_key')
  checkPair(cert, key, parts.now(), { certificate: 'cert', key: 'private_key' })
  const value = { certificate: String(cert), key: String(key), isOwn: false }
  const { certificates, databases, view } = parts.state
  if (!flag(request.query, 'dry_run')) {
    const outcome = await view.commit({
      compare: [databases.unchanged(uid, databases.get(uid))],
      changes: [certificates.put(databaseCertificateId(uid), value)],
      configuration: true,
    })
    if (!outcome.committed) refuse('busy')
  }
  return { json: render(uid, value) }
}

export async function deleteOfDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const id = databaseCertificateId(existing(request, parts))
  const { certificates, view } = parts.state
  if (!certificates.get(id)) refuse('certificate_not_found')
  await view.commit({ compare: [], changes: [certificates.delete(id)], configuration: true })
  return { json: null }
}

function existing({ params }: ApiRequest, { state }: Parts): number {
  return state.databases.get(params.uid ?? '')?.value.uid ?? refuse('db_not_exist')
}

function wholeNumber(text: string | undefined, field: string, otherwise: number): number {
  if (text === undefined) return otherwise
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text)
  return refuse('invalid_query', { field, description: `${field} must be a whole number from 1.` })
}

function render(uid: number, { certificate }: CertificateDocument): object {
  const { validFromDate, validToDate } = new X509Certificate(certificate)
  return {
    bdb_uid: String(uid),
    cert: certificate,
    not_before: wireTime(validFromDate.toISOString()),
    not_after: wireTime(validToDate.toISOString()),
  }
}
