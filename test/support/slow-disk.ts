/**
 * A disk that takes nothing any more when it is told so: a file system in a file, on another file system that can be frozen.
 * What is written to it stays in memory then, and whoever wants to know that it has arrived waits until it is thawed. Needs
 * root.
 */
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { doAll } from './clean-ups.ts'
import type { CleanUps } from './instance.ts'

const run = promisify(execFile)

const OUTER_SIZE = '96M'
const INNER_SIZE = '64M'

export class SlowDisk {
  readonly #frozen: string

  constructor(frozen: string) {
    this.#frozen = frozen
  }

  async freeze(): Promise<void> {
    await run('fsfreeze', ['-f', this.#frozen])
  }

  async thaw(): Promise<void> {
    await run('fsfreeze', ['-u', this.#frozen])
  }
}

/** Mounted at `folder`, which is made; gone when the test ends. */
export async function mountSlowDisk(t: CleanUps, folder: string): Promise<SlowDisk> {
  const below = await mkdtemp(join(tmpdir(), 'disk-'))
  const outer = join(below, 'outer')
  const disk = new SlowDisk(outer)
  t.after(() =>
    doAll([
      // One that is not frozen cannot be thawed, and one that is cannot be unmounted.
      () => disk.thaw().catch(() => undefined),
      () => run('umount', ['-l', folder]),
      () => run('umount', ['-l', outer]),
      () => rm(below, { recursive: true, force: true }),
    ]),
  )
  for (const path of [outer, folder]) await mkdir(path, { recursive: true, mode: 0o700 })
  await mountFile('ext4', join(below, 'outer.img'), OUTER_SIZE, outer)
  // Without a journal: it would keep those waiting who only write.
  await mountFile('ext2', join(outer, 'inner.img'), INNER_SIZE, folder)
  await rm(join(folder, 'lost+found'), { recursive: true })
  return disk
}

async function mountFile(type: string, file: string, size: string, folder: string): Promise<void> {
  await run('truncate', ['-s', size, file])
  await run(`mkfs.${type}`, ['-q', file])
  await run('mount', ['-o', 'loop', file, folder])
}
