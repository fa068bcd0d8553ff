/**
 * A Python program of the tests, driven line by line: what is written to it is answered with one line of JSON. It runs on
 * Debian's own Python, for which the tests bring the modules that they need.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { CleanUps } from './instance.ts'

const PYTHON = '/usr/bin/python3'
const PATIENCE_MS = 60_000

export type PythonProgram = { ask(line: string): Promise<unknown> }

/** `file` is in test/clients. */
export function startPython(t: CleanUps, file: string, args: readonly string[]): PythonProgram {
  const program = fileURLToPath(new URL(`../clients/${file}`, import.meta.url))
  const child = spawn(PYTHON, [program, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
  let complaint = ''
  child.stderr.on('data', (text) => {
    complaint += text
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  t.after(async () => {
    child.kill('SIGKILL')
    await closed
  })
  const waiting: PromiseWithResolvers<unknown>[] = []
  createInterface(child.stdout).on('line', (line) => waiting.shift()?.resolve(JSON.parse(line)))
  void closed.then(() => {
    for (const one of waiting) one.reject(new Error(`${file} has ended: ${complaint}`))
  })
  return {
    ask: async (line) => {
      const answer = Promise.withResolvers<unknown>()
      waiting.push(answer)
      child.stdin.write(`${line}\n`)
      const timer = setTimeout(() => answer.reject(new Error(`${file} does not answer: ${complaint}`)), PATIENCE_MS)
      try {
        return await answer.promise
      } finally {
        clearTimeout(timer)
      }
    },
  }
}
