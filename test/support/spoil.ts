/**
 * Databases whose append-only file cannot be read any more.
 */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Instance, killNow } from './instance.ts'
import { until } from './wait.ts'

type Damaged = { readonly uid: number; readonly shard_list: readonly number[] }

/** Kills the process of its first shard and leaves it a file that it cannot read; returns how to give the file back. */
export async function spoil(instance: Instance, { uid, shard_list }: Damaged): Promise<() => Promise<void>> {
  const [shardUid = 0] = shard_list
  const folder = join(instance.dataDir, 'shards', String(shardUid), 'appendonlydir')
  const manifest = await readFile(join(folder, 'appendonly.aof.manifest'), 'utf8')
  const incremental = /file (\S+\.incr\.aof)/.exec(manifest)?.[1]
  assert.ok(incremental)
  const path = join(folder, incremental)
  const whole = await readFile(path)
  await writeFile(path, 'this is no command at all\r\n'.repeat(10))
  const engine = (await instance.engines()).find((one) => one.shardUid === shardUid)
  assert.ok(engine)
  killNow(engine.pid)
  await until('the recovery to be visible', async () => {
    return (await instance.api.get(`/v1/bdbs/${uid}`)).json.status === 'recovery'
  })
  return () => writeFile(path, whole)
}

/** The recovery that began by itself has failed, and nothing is under way. */
export async function givenUp(instance: Instance, uid: number): Promise<void> {
  await until('the recovery to fail', async () => {
    const { json } = await instance.api.get(`/v1/actions/bdb/${uid}`)
    return json[0]?.name === 'SMRecoverBDB' && json[0].status === 'failed'
  })
}
