/**
 * The end of a log file: whole lines, in bounded memory however large the file is. Callers: the agent.
 */
import { type FileHandle, open } from 'node:fs/promises'

/** Null: there is no such file. Rejects with the system's error when it cannot be read. */
export async function readLogTail(path: string, maxBytes: number): Promise<string | null> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (!file) return null
  try {
    return await tailOf(file, maxBytes)
  } finally {
    await file.close()
  }
}

async function tailOf(file: FileHandle, maxBytes: number): Promise<string> {
  const { size } = await file.stat()
  // One byte more: whether the first line is whole.
  const from = Math.max(0, size - maxBytes - 1)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(size - from), 0, size - from, from)
  const bytes = buffer.subarray(0, bytesRead)
  const text = from === 0 ? bytes : bytes.subarray(bytes.indexOf(LINE_BREAK) + 1)
  return text.toString('utf8')
}

const LINE_BREAK = 10
