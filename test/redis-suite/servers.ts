/**
 * The servers that the suite is run against: a bare redis-server, and a Holdfast with an unsharded and a sharded
 * database. The suite turns a server inside out (CONFIG SET, DEBUG), which the databases refuse to applications: here,
 * and only here, their processes are started with debugging on, and everybody may do everything.
 */
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CONTROL_USER, controlPassword } from '#agent/accounts.ts'
import { connectUnix } from '#engine/unix-socket.ts'
import { encodeCommands } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import { type CleanUps, type Instance, startInstance } from '../support/instance.ts'
import { freePort } from '../support/ports.ts'
import { callOnce } from '../support/redis-cluster.ts'
import { until } from '../support/wait.ts'
import type { SuiteServer } from './suite-file.ts'

const MEMORY_BYTES = 4_000_000_000
const OPEN = ['--enable-debug-command', 'yes', '--enable-protected-configs', 'yes', '--enable-module-command', 'yes']
/** Keys of one test may not be spread, and there is one database: as the suite itself knows clusters. */
const AS_A_CLUSTER = ['--cluster-mode', '--ignore-digest', '--tags', '-needs:repl']

async function newFolder(t: CleanUps): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-suite-'))
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

export async function startDatabases(t: CleanUps, engine: string, shardCount: number): Promise<SuiteServer[]> {
  const folder = await newFolder(t)
  const opened = join(folder, 'redis-server')
  await writeFile(opened, `#!/bin/sh\nexec ${engine} "$@" ${OPEN.join(' ')}\n`)
  await chmod(opened, 0o755)
  const env = { HOLDFAST_ENGINE: `redis=${opened}` }
  const instance = await startInstance(t, { env })
  const body = { memory_size: MEMORY_BYTES, data_persistence: 'disabled', eviction_policy: 'noeviction' }
  const unsharded = await instance.create({ ...body, name: 'unsharded' })
  const sharded = await instance.create({ ...body, name: 'sharded', sharding: true, shards_count: shardCount })
  for (const { shardUid } of await instance.engines()) await letEverybodyDoEverything(instance, shardUid)
  // It would mend what the suite breaks on purpose, and end a process that is told to sleep. Nobody needs it meanwhile.
  await instance.kill()
  return [
    { name: 'unsharded', port: portOf(unsharded), options: [] },
    { name: 'sharded', port: portOf(sharded), options: AS_A_CLUSTER },
  ]
}

function portOf(database: { endpoints: [{ port: number }] }): number {
  return database.endpoints[0].port
}

export async function startBare(t: CleanUps, engine: string): Promise<SuiteServer> {
  const folder = await newFolder(t)
  const port = await freePort()
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, ...OPEN]
  const child = spawn(engine, args, { stdio: 'ignore' })
  t.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')) await ended
  })
  await until('the bare server', async () => (await callOnce(port, ['PING'])).kind !== 'error')
  return { name: 'bare', port, options: [] }
}

async function letEverybodyDoEverything(instance: Instance, shardUid: number): Promise<void> {
  const secret = Buffer.from((await readFile(join(instance.dataDir, 'control.secret'), 'utf8')).trim(), 'hex')
  const socket = await connectUnix(join(instance.dataDir, 'shards', String(shardUid), 'control.sock'))
  const parser = new RespParser()
  const answers: string[] = []
  socket.on('data', (chunk) => void answers.push(...parser.push(chunk).map(({ kind }) => kind)))
  socket.write(
    encodeCommands([
      ['AUTH', CONTROL_USER, controlPassword(secret, shardUid)],
      ['ACL', 'SETUSER', 'default', 'on', 'nopass', '~*', '&*', '+@all'],
    ]),
  )
  await until(`shard ${shardUid} to let everybody do everything`, () => answers.join() === 'status,status')
  socket.destroy()
}
