import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import type { UserDocument, UserPassword } from '#model/documents/access.ts'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import { hashAnew, isHashedWith, newPassword, verifyPassword } from './password-hash.ts'
import { Rehashing } from './rehashing.ts'

const ALGORITHMS = ['argon2id', 'PBKDF2'] as const

async function aState(): Promise<State> {
  const onTrouble = (...what: unknown[]) => assert.fail(String(what))
  const state = new State({ store: new MemoryStore(), sealer: new Sealer([randomBytes(32)]), onTrouble })
  await state.view.start()
  return state
}

async function put(state: State, uid: number, passwords: UserPassword[]): Promise<void> {
  const email = `user${uid}@example.com`
  const rest = { authMethod: 'regular' as const, certificateSubject: '', roleUids: [], alerts: {}, createdAt: '' }
  const user: UserDocument = { uid, email, name: email, passwords, ...rest }
  await state.view.commit({ compare: [], changes: [state.users.put(uid, user)], configuration: true })
}

async function choose(state: State, algorithm: string): Promise<void> {
  const cluster = { name: 'c', createdAt: '', settings: { password_hashing_algorithm: algorithm }, policy: {} }
  await state.view.commit({ compare: [], changes: [state.cluster.put('', cluster)], configuration: true })
}

function start(t: TestContext, state: State): Rehashing {
  const log = { info: () => undefined, warn: (facts: object) => assert.fail(JSON.stringify(facts)) }
  const rehashing = new Rehashing({ state, log })
  rehashing.start()
  t.after(() => rehashing.close())
  return rehashing
}

/** Resolves once every password of everybody is hashed with it. */
async function settled(state: State, algorithm: (typeof ALGORITHMS)[number]): Promise<void> {
  const hashes = () => [...state.users.values()].flatMap(({ value }) => value.passwords.map(({ hash }) => hash))
  while (!hashes().every((hash) => isHashedWith(algorithm, hash))) await new Promise((resolve) => setImmediate(resolve))
}

test('a password is right by every hash that is made of it, with or without the password at hand', async () => {
  for (const algorithm of ALGORITHMS) {
    const { hash, sha256 } = await newPassword('right', '', algorithm)
    for (const phc of [hash, await hashAnew(sha256, algorithm)]) {
      assert.ok(isHashedWith(algorithm, phc))
      assert.equal(await verifyPassword('right', phc), true)
      assert.equal(await verifyPassword('wrong', phc), false)
      assert.equal(await verifyPassword(sha256, phc), false, 'what engines compare with is no password')
    }
  }
})

test('everybody is hashed anew when the algorithm changes, back and forth, and the state id stays', async (t) => {
  const state = await aState()
  const first = await newPassword('first', '2026-01-01T00:00:00Z', 'argon2id')
  await put(state, 1, [first, await newPassword('second', '', 'argon2id')])
  await put(state, 2, [])
  start(t, state)
  for (const algorithm of ['PBKDF2', 'argon2id'] as const) {
    await choose(state, algorithm)
    const { stateId } = state.view
    await settled(state, algorithm)
    const { passwords = [] } = state.users.get(1)?.value ?? {}
    for (const [index, password] of ['first', 'second'].entries())
      assert.equal(await verifyPassword(password, passwords[index]?.hash ?? ''), true)
    assert.deepEqual({ ...passwords[0], hash: '' }, { ...first, hash: '' })
    assert.equal(state.view.stateId, stateId)
  }
})

test('what was left at the last stop, or is put the old way meanwhile, is hashed anew too', async (t) => {
  const state = await aState()
  await choose(state, 'PBKDF2')
  await put(state, 1, [await newPassword('one', '', 'argon2id')])
  const rehashing = start(t, state)
  await put(state, 2, [await newPassword('two', '', 'argon2id')])
  await settled(state, 'PBKDF2')
  await rehashing.close()
  await put(state, 3, [await newPassword('three', '', 'argon2id')])
  start(t, state)
  await settled(state, 'PBKDF2')
  assert.equal(await verifyPassword('three', state.users.get(3)?.value.passwords[0]?.hash ?? ''), true)
})

test('a password that was hashed before there was a choice still counts, until it is hashed anew', async (t) => {
  const state = await aState()
  // Of "right", at a small cost.
  const before = '$argon2id$v=19$m=64,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$ECbBNArpkA4MoomMw51KzdcFeL+kGZhUmtplD7DTqc8'
  const sha256 = createHash('sha256').update('right').digest('hex')
  assert.equal(await verifyPassword('right', before), true)
  await put(state, 1, [{ hash: before, sha256, issuedAt: '' }])
  start(t, state)
  await settled(state, 'argon2id')
  assert.equal(await verifyPassword('right', state.users.get(1)?.value.passwords[0]?.hash ?? ''), true)
})
