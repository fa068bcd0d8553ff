/**
 * /v1/ocsp: whether and how the certificate of the proxy is checked, what was said of it last, and asking now.
 */
import type { OcspAnswer } from '#model/documents/ocsp.ts'
import { OcspObject, type OcspSettings, OcspStatusObject, ocspParser } from '#model/ocsp.ts'
import type { State } from '#store/state.ts'
import { changeAccess } from '../access/changes.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { issuerOf, ocspSubject } from './subject.ts'
import { ocspSettings } from './watch.ts'

export const ocspRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/ocsp',
    access: 'view_ocsp_config',
    summary: 'How the certificate of the proxy is checked by OCSP',
    answers: OcspObject,
    refusals: [],
    handle: (_request, { state }) => ({ json: renderOcsp(state, ocspSettings(state)) }),
  },
  {
    method: 'PUT',
    path: '/v1/ocsp',
    access: 'config_ocsp',
    summary: 'Change how the certificate of the proxy is checked by OCSP; what is left out stays',
    query: [DRY_RUN],
    body: OcspObject,
    answers: OcspObject,
    refusals: ['unknown_field', 'invalid_field', 'no_responder_url', 'no_ocsp_issuer', ...CHANGE_REFUSALS],
    handle: async (request, parts) => ({ json: renderOcsp(parts.state, await updateOcsp(request, parts)) }),
  },
  {
    method: 'GET',
    path: '/v1/ocsp/status',
    access: 'view_ocsp_status',
    summary: 'What the responder said last about the certificate of the proxy',
    answers: OcspStatusObject,
    refusals: [],
    handle: (_request, { state }) => ({ json: lastStatus(state) }),
  },
  {
    method: 'POST',
    path: '/v1/ocsp/test',
    access: 'test_ocsp_status',
    summary: 'Ask the responder now',
    answers: OcspStatusObject,
    refusals: ['no_responder_url', 'invalid_ocsp_response'],
    handle: async (_request, { ocsp }) => {
      const { answer, responderUrl } = await ocsp.ask()
      return { json: renderStatus(responderUrl, answer) }
    },
  },
]

/** Rejects with a Refusal. */
function updateOcsp(request: ApiRequest, parts: Parts): Promise<OcspSettings> {
  const { state } = parts
  const given = parseGiven(ocspParser, request, 'update')
  return changeAccess(request, parts, () => {
    const settings = { ...ocspSettings(state), ...given }
    if (given.ocsp_functionality === true) checkCanBeAsked(state)
    const changes = [state.ocsp.put('', { settings })]
    return { changes, compare: [state.ocsp.unchanged('', state.ocsp.get(''))], result: settings }
  })
}

function checkCanBeAsked(state: State): void {
  const subject = ocspSubject(state)
  const field = 'ocsp_functionality'
  if (!subject || subject.responderUrl === '') refuse('no_responder_url', { field })
  else if (!issuerOf(state, subject.certificate)) refuse('no_ocsp_issuer', { field })
}

function renderOcsp(state: State, settings: OcspSettings): Record<string, unknown> {
  return { ...settings, responder_url: ocspSubject(state)?.responderUrl ?? '' }
}

/** What was said of another certificate is no news of this one. */
function lastStatus(state: State): Record<string, unknown> {
  const subject = ocspSubject(state)
  const status = state.ocspStatus.get('')?.value
  if (!status || status.fingerprint !== subject?.fingerprint) return renderStatus(subject?.responderUrl ?? '', null)
  return renderStatus(status.responderUrl, status.answer)
}

function renderStatus(responderUrl: string, answer: OcspAnswer | null): Record<string, unknown> {
  const time = (name: string, atMs: number | undefined) =>
    atMs === undefined ? {} : { [name]: new Date(atMs).toUTCString() }
  return {
    responder_url: responderUrl,
    cert_status: answer?.status ?? 'UNKNOWN',
    ...time('produced_at', answer?.producedAtMs),
    ...time('this_update', answer?.thisUpdateMs),
    ...time('next_update', answer?.nextUpdateMs),
    ...time('revocation_time', answer?.revokedAtMs),
  }
}
