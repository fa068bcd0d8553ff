/**
 * stop_traffic and resume_traffic: whether applications are let into a database. Its processes go on running, and its
 * replicas go on following.
 */
import { unedited } from '#plan/change.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeDatabase } from './change.ts'

export function stopTraffic(request: ApiRequest, parts: Parts): Promise<Answer> {
  return setTraffic(request, parts, true)
}

export function resumeTraffic(request: ApiRequest, parts: Parts): Promise<Answer> {
  return setTraffic(request, parts, false)
}

/** Asked for again it is done at once: whoever follows the action sees it end. */
async function setTraffic(request: ApiRequest, parts: Parts, isTrafficStopped: boolean): Promise<Answer> {
  const options = { dryRun: false, tellsAlways: true }
  const { actionUid } = await changeDatabase(request, parts, options, (database) => ({
    ...unedited(database),
    isTrafficStopped,
  }))
  return { json: { action_uid: actionUid } }
}
