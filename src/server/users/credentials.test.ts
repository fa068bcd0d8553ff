import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import type { UserDocument } from '#model/documents/access.ts'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import { Credentials } from './credentials.ts'
import { newPassword, verifyPassword } from './password-hash.ts'
import { Tokens } from './tokens.ts'

const START_MS = Date.parse('2026-01-01T00:00:00Z')
const SECOND = 1_000
const DAY = 86_400 * SECOND

type Settings = { readonly settings?: Record<string, unknown>; readonly policy?: Record<string, unknown> }

/** One user, `jane@example.com` with the password `right`, and a clock that moves when it is told to. */
async function aHouse({ settings = {}, policy = {} }: Settings = {}) {
  const onTrouble = (...what: unknown[]) => assert.fail(String(what))
  const state = new State({ store: new MemoryStore(), sealer: new Sealer([randomBytes(32)]), onTrouble })
  await state.view.start()
  const clock = { nowMs: START_MS }
  const tokens = new Tokens(randomBytes(32))
  const hashed: string[] = []
  const verify = (password: string, phc: string) => {
    hashed.push(phc)
    return verifyPassword(password, phc)
  }
  const credentials = new Credentials({ state, tokens, now: () => clock.nowMs, onTrouble, verify })
  const user: UserDocument = {
    uid: 1,
    email: 'jane@example.com',
    name: 'jane',
    authMethod: 'regular',
    certificateSubject: '',
    roleUids: [1],
    passwords: [await newPassword('right', new Date(START_MS).toISOString(), 'argon2id')],
    alerts: {},
    createdAt: '',
  }
  const put = async (changed: UserDocument) => {
    await state.view.commit({ compare: [], changes: [state.users.put(1, changed)], configuration: true })
  }
  const role = { uid: 1, name: 'Admin', management: 'admin' as const, databaseUids: null }
  const cluster = { name: 'c', createdAt: '', settings, policy }
  await state.view.commit({
    compare: [],
    changes: [state.roles.put(1, role), state.cluster.put('', cluster)],
    configuration: true,
  })
  await put(user)
  const signIn = (password: string, name = 'jane@example.com') =>
    credentials.check(`Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`, {})
  const bearer = (token: string) => credentials.check(`Bearer ${token}`, {})
  return { state, clock, credentials, user, put, signIn, bearer, hashed }
}

/** Failures are written behind the answer. */
async function failures(state: State, wanted: number): Promise<void> {
  while (state.logins.get(1)?.value.failures !== wanted) await new Promise((resolve) => setImmediate(resolve))
}

test('a right password gets in, any other does not, whoever is asked for', async () => {
  const { signIn } = await aHouse()
  const identity = await signIn('right')
  assert.deepEqual([identity?.userUid, identity?.rights.may('update_cluster')], [1, true])
  assert.equal((await signIn('right', 'JANE@example.com'))?.userUid, 1)
  for (const [password, name] of [['wrong'], [''], ['right', 'jane'], ['right', ''], ['right', 'nobody']])
    assert.equal(await signIn(password ?? '', name), null)
})

test('what was verified is answered at once, until anything about the user changes', async () => {
  const { signIn, put, user } = await aHouse()
  await signIn('right')
  assert.ok(!(signIn('right') instanceof Promise), 'nothing is hashed')
  await put({ ...user, roleUids: [] })
  const identity = signIn('right')
  assert.ok(identity instanceof Promise, 'it is hashed again')
  assert.equal((await identity)?.rights.may('update_cluster'), false)
})

test('guessing locks out, also the right password, for the duration', async () => {
  const { signIn, state, clock, credentials, user } = await aHouse({
    policy: { login_lockout_threshold: 3, login_lockout_duration: 60 },
  })
  await signIn('right')
  for (const guess of [1, 2, 3]) {
    assert.equal(credentials.statusOf(user), 'active')
    await signIn(`guess ${guess}`)
    await failures(state, guess)
  }
  assert.equal(credentials.statusOf(user), 'locked')
  assert.equal(await signIn('right'), null)
  clock.nowMs += 59 * SECOND
  assert.equal(await signIn('right'), null)
  clock.nowMs += SECOND
  assert.equal((await signIn('right'))?.userUid, 1)
  await failures(state, 0)
  assert.equal(credentials.statusOf(user), 'active')
})

test('wrong passwords are forgotten after a while, and a lock-out can be for good', async () => {
  const { signIn, state, clock, credentials, user } = await aHouse({
    policy: { login_lockout_threshold: 2, login_lockout_counter_reset_after: 10, login_lockout_duration: 0 },
  })
  await signIn('wrong')
  await failures(state, 1)
  clock.nowMs += 11 * SECOND
  await signIn('wrong')
  await failures(state, 1)
  assert.equal(credentials.statusOf(user), 'active')
  await signIn('wrong')
  await failures(state, 2)
  clock.nowMs += 1_000 * DAY
  assert.equal(credentials.statusOf(user), 'locked')
  assert.equal(await signIn('right'), null)
})

test('a password expires: whoever has it may only change it', async () => {
  const { signIn, clock, credentials, user, put } = await aHouse({ settings: { password_expiration_duration: 2 } })
  assert.equal((await signIn('right'))?.mustChangePassword, false)
  clock.nowMs += 2 * DAY - SECOND
  assert.equal((await signIn('right'))?.mustChangePassword, false)
  clock.nowMs += SECOND
  assert.equal((await signIn('right'))?.mustChangePassword, true)
  assert.equal(credentials.statusOf(user), 'password_expired')
  const fresh = await newPassword('fresh', new Date(clock.nowMs).toISOString(), 'argon2id')
  await put({ ...user, passwords: [...user.passwords, fresh] })
  assert.equal((await signIn('fresh'))?.mustChangePassword, false)
  assert.equal((await signIn('right'))?.mustChangePassword, true)
})

test('a token stands for a login until it ends, or the password changes, or the user goes', async () => {
  const { signIn, bearer, clock, credentials, user, put, state } = await aHouse()
  const identity = await signIn('right')
  assert.ok(identity)
  const token = await credentials.issueToken(identity, 60)
  assert.equal((await bearer(token))?.userUid, 1)
  assert.equal((await credentials.check(`JWT ${token}`, {}))?.userUid, 1)
  clock.nowMs += 59 * SECOND
  assert.equal((await bearer(token))?.userUid, 1)
  clock.nowMs += SECOND
  assert.equal(await bearer(token), null)
  const second = await credentials.issueToken(identity, 60)
  await put({ ...user, name: 'renamed' })
  assert.equal((await bearer(second))?.userUid, 1)
  await put({ ...user, passwords: [await newPassword('other', '', 'argon2id')] })
  assert.equal(await bearer(second), null)
  await put(user)
  assert.equal((await bearer(second))?.userUid, 1)
  await state.view.commit({ compare: [], changes: [state.users.delete(1)], configuration: true })
  assert.equal(await bearer(second), null)
})

test('expiry that is switched on holds at once, also for what was verified before, and for tokens', async () => {
  const { signIn, bearer, state, clock, credentials, user, put } = await aHouse()
  const identity = await signIn('right')
  assert.ok(identity)
  const token = await credentials.issueToken(identity, 10 * DAY)
  assert.equal((await bearer(token))?.mustChangePassword, false)
  const expireAfter = async (days: number) => {
    const cluster = { name: 'c', createdAt: '', settings: { password_expiration_duration: days }, policy: {} }
    await state.view.commit({ compare: [], changes: [state.cluster.put('', cluster)], configuration: true })
  }
  clock.nowMs += DAY
  await expireAfter(2)
  assert.equal((await signIn('right'))?.mustChangePassword, false)
  assert.equal((await bearer(token))?.mustChangePassword, false)
  clock.nowMs += DAY
  assert.equal((await bearer(token))?.mustChangePassword, true, 'nor does a token go on without end')
  await expireAfter(3)
  assert.equal((await signIn('right'))?.mustChangePassword, false)
  assert.equal((await bearer(token))?.mustChangePassword, false)
  await expireAfter(1)
  assert.equal((await signIn('right'))?.mustChangePassword, true)
  assert.equal((await bearer(token))?.mustChangePassword, true)
  await put({ ...user, authMethod: 'certificate', certificateSubject: 'CN=jane' })
  assert.equal((await bearer(token))?.mustChangePassword, false, 'who signs in by certificate needs no password')
})

test('tokens of others, without a signature or cut short are none', async () => {
  const { signIn, bearer, credentials } = await aHouse()
  const identity = await signIn('right')
  assert.ok(identity)
  const token = await credentials.issueToken(identity, 60)
  const [head = '', claims = '', signature = ''] = token.split('.')
  const unsigned = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url')
  const stranger = await new Tokens(randomBytes(32)).issue({ ...(await aHouse()).user }, START_MS, 60)
  for (const bad of [`${unsigned}.${claims}.`, `${head}.${claims}.`, `${head}.${claims}`, stranger, 'x', signature])
    assert.equal(await bearer(bad), null, bad)
})

test('as much is computed for a name that nobody has as for one that somebody has', async () => {
  const { signIn, put, user, hashed, state, clock } = await aHouse({ policy: { login_lockout_threshold: 1 } })
  const cost = async (password: string, name?: string): Promise<string> => {
    hashed.length = 0
    await signIn(password, name)
    return hashed.map((phc) => phc.replace(/[^$]+\$[^$]+$/, '')).join(' ')
  }
  const unknown = await cost('right', 'nobody@example.com')
  assert.match(unknown, /^\$sha256-argon2id\$v=19\$m=19456,t=2,p=1\$$/)
  assert.equal(await cost('right'), unknown)
  assert.equal(await cost('wrong'), unknown)
  await failures(state, 1)
  assert.equal(await cost('right'), unknown, 'also for somebody who is locked out')
  await put({ ...user, passwords: [...user.passwords, await newPassword('second', '', 'argon2id')] })
  const two = await cost('wrong', 'nobody@example.com')
  assert.equal(two, `${unknown} ${unknown}`)
  assert.equal(await cost('wrong'), two, 'nor can it be told how many passwords somebody has')
  clock.nowMs += DAY
  assert.equal(await cost('right'), two, 'nor which of them was right')
  await put({ ...user, passwords: [] })
  assert.equal(await cost('wrong'), unknown, 'also for somebody who has none')
  await put({ ...user, roleUids: [], authMethod: 'sso' })
  assert.equal(await cost('right'), unknown, 'also for somebody whose password does not count here')
})

test('so it is with the other algorithm', async () => {
  const { signIn, put, user, hashed } = await aHouse({ settings: { password_hashing_algorithm: 'PBKDF2' } })
  await put({ ...user, passwords: [await newPassword('right', '', 'PBKDF2')] })
  assert.equal((await signIn('right'))?.userUid, 1)
  assert.equal(await signIn('wrong'), null)
  assert.equal(await signIn('right', 'nobody@example.com'), null)
  for (const phc of hashed) assert.match(phc, /^\$sha256-pbkdf2-sha512\$i=210000\$/)
  assert.equal(hashed.length, 3)
})

test('whoever has gone while they waited costs nothing', async () => {
  const { credentials, hashed } = await aHouse()
  const header = `Basic ${Buffer.from('jane@example.com:right').toString('base64')}`
  assert.equal(await credentials.check(header, { destroyed: true }), null)
  assert.equal(hashed.length, 0)
})
