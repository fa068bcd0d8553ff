// A reporter of node:test for test-file.mjs: one line of JSON for each thing worth knowing. It runs inside the test's
// process, and the last line, 'complete', tells that the process came to the end of its tests.
//
// A suite is not a test and counts only when something of its own failed, as a hook does. A test that failed only
// because a test inside it did counts, but has nothing of its own to show.

import { relative } from 'node:path'
import { inspect } from 'node:util'

export default async function* report(source) {
  for await (const { type, data } of source) {
    if (type === 'test:summary') yield line({ kind: 'complete' })
    if (type === 'test:diagnostic' && data.message.startsWith('Error:'))
      yield line({ kind: 'note', text: data.message })
    if (type !== 'test:pass' && type !== 'test:fail') continue
    const isOwnFailure = type === 'test:fail' && data.details.error.failureType !== 'subtestsFailed'
    if (data.details.type === 'suite' && !isOwnFailure) continue
    if (data.skip !== undefined || data.todo !== undefined) {
      yield line({ kind: 'skipped' })
    } else if (type === 'test:pass') {
      yield line({ kind: 'passed' })
    } else {
      yield line({ kind: 'failed' })
      if (isOwnFailure) yield line({ kind: 'failure', text: describe(data, data.details.error) })
    }
  }
}

function describe(data, error) {
  const at = data.file ? ` (${relative(process.cwd(), data.file)}:${data.line})` : ''
  const cause = inspect(error.cause ?? error, { depth: 6 })
  return `${data.name}${at}, after ${Math.round(data.details.duration_ms)} ms\n${cause.replace(/^/gm, '    ')}`
}

function line(event) {
  return `${JSON.stringify(event)}\n`
}
