// Finds and ends what a test left running. A process is the test's own when its command line, its working folder or
// its environment names the test's temporary folder: that holds for the control planes, engines and etcds that tests
// start, also for those that were detached from everything, and for nobody else's.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const graceMs = 1000
const lookAgainMs = 50

/** Those still there after a moment of grace, which are killed: [{ pid, command }]. */
export async function endLeftovers(folder) {
  const deadline = Date.now() + graceMs
  let found = processesOf(folder)
  while (found.length > 0 && Date.now() < deadline) {
    await sleep(lookAgainMs)
    found = processesOf(folder)
  }
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It ended just now; it is still named, because it was late.
    }
  }
  return found
}

function processesOf(folder) {
  const found = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const command = read(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
      .replaceAll('\0', ' ')
      .trim()
    if (command === '') continue // a kernel thread, or one that has ended and only waits to be noticed
    const traces = [
      command,
      read(() => readlinkSync(`/proc/${pid}/cwd`)),
      read(() => readFileSync(`/proc/${pid}/environ`, 'utf8')),
    ]
    if (traces.some((trace) => names(trace, folder))) found.push({ pid, command: command.slice(0, 200) })
  }
  return found
}

// `/tmp/hf-abc/1` must not be found in `/tmp/hf-abc/12`.
function names(trace, folder) {
  for (let at = trace.indexOf(folder); at !== -1; at = trace.indexOf(folder, at + 1)) {
    if (!/[\w-]/.test(trace[at + folder.length] ?? '')) return true
  }
  return false
}

function read(get) {
  try {
    return get()
  } catch {
    return '' // ended while we looked, or not ours to look into
  }
}
