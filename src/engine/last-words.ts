/**
 * What an engine said before it ended, as one line for people. Callers: the agent, when a process is gone.
 *
 * An engine that cannot go on says why on its last lines, at the level of warnings or bare on stderr, among greetings
 * and advice. So: go back from the end over those, collect the warnings that stand together, and stop at the first
 * ordinary line. An engine that was killed from outside says nothing, and its older warnings must not be quoted.
 */
import { open } from 'node:fs/promises'

/** A crash report is about 20 KB. */
const TAIL_BYTES = 64 * 1024
const MAX_LINES = 4
const MAX_LENGTH = 600

const PREFIX = /^\d+:[XCSM] \d+ \w{3} \d{4} [\d:.]+ ([.\-*#]) /
const CRASH = /crashed by signal|is not true$|Out Of Memory allocating|Guru Meditation/
/** Said at the level of warnings although all is well. */
const NOISE =
  /^(WARNING|oO0OoO0|(Redis|Valkey) version=|(Redis|Valkey) is (now ready|starting)|Configuration loaded|Server initialized|User requested|Received SIG|Warning: no config|You requested maxclients|Current maximum open files|Server can't set maximum|TCP backlog)/

export async function readLastWords(logPath: string, fromByte: number): Promise<string | null> {
  try {
    await using file = await open(logPath)
    const { size } = await file.stat()
    // A log that became shorter was rotated or cut off: all of it is newer than the mark.
    const start = Math.max(fromByte <= size ? fromByte : 0, size - TAIL_BYTES)
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(size - start), position: start })
    return lastWords(buffer.toString('utf8', 0, bytesRead))
  } catch {
    return null
  }
}

export function lastWords(log: string): string | null {
  const lines = log.split('\n').filter((line) => line.trim() !== '')
  const crash = lines.find((line) => CRASH.test(line))
  if (crash) return tidy([crash])
  const words: string[] = []
  for (const line of lines.toReversed()) {
    const level = PREFIX.exec(line)?.[1]
    const text = line.replace(PREFIX, '')
    if (NOISE.test(text)) continue
    if ((level !== undefined && level !== '#') || words.length === MAX_LINES) break
    words.unshift(text)
  }
  return words.length > 0 ? tidy(words) : null
}

function tidy(lines: readonly string[]): string {
  const line = lines.map((text) => text.replace(PREFIX, '').replace(/\s+/g, ' ').trim()).join(' ')
  return line.length > MAX_LENGTH ? `${line.slice(0, MAX_LENGTH - 1)}…` : line
}
