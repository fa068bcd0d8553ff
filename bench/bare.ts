/**
 * Starts the bare server that our own is measured beside.
 */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { selfSignedCertificate } from '#server/certificates/self-signed.ts'
import type { Reply } from '../test/support/api.ts'

/** What it says to everything. `head`: names and values in turns. */
export type Answer = { readonly head: readonly string[]; readonly body: string }

/** What node:http adds by itself is left to it. */
export function answerOf({ headers, text }: Reply): Answer {
  const own = Object.entries(headers).filter(([name]) => !['connection', 'date', 'keep-alive'].includes(name))
  return { head: own.flatMap(([name, value]) => [name, String(value)]), body: text }
}

export async function startBareServer(answer: Answer): Promise<{ port: number; stop: () => void }> {
  // The key of ours lies nowhere: one of the same kind costs the same.
  const { key, cert } = await selfSignedCertificate(['localhost'], Date.now())
  const program = fileURLToPath(new URL('./bare-server.ts', import.meta.url))
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify({ key, cert, ...answer }))
  const port = await new Promise((resolve) => child.stdout.once('data', resolve))
  return { port: Number(port), stop: () => void child.kill() }
}
