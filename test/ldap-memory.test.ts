/**
 * What is remembered of an LDAP directory's answers, for how long, and what stands on it: repeated logins, the rights of
 * the moment, and tokens.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { Credentials } from '#server/users/credentials.ts'
import { Tokens } from '#server/users/tokens.ts'
import { aDirectory, OUT_OF_ORDER, passingOn, SIMPLE } from './support/ldap-directory.ts'
import { ADMINS, type LdapServer, startLdapServer } from './support/ldap-server.ts'

const namesake = {
  uid: 1,
  email: '',
  name: 'namesake',
  authMethod: 'regular' as const,
  certificateSubject: '',
  roleUids: [],
  passwords: [],
  alerts: {},
  createdAt: '',
}

describe('an LDAP directory, once asked,', () => {
  const cleanUps: (() => Promise<void>)[] = []
  let server: LdapServer
  before(async () => {
    server = await startLdapServer({ after: (cleanUp) => void cleanUps.push(cleanUp) })
  })
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })

  test('is remembered for cache_ttl, and its word about a password is not stretched to another', async (t) => {
    const own = await startLdapServer(t)
    const { signIn, clock, configure, commit, state } = await aDirectory({ uris: [own.uri], ...SIMPLE, cache_ttl: 60 })
    assert.notEqual(await signIn('ada'), null)
    assert.notEqual(await signIn('bob'), null)
    await own.kill()
    clock.nowMs += 59_999
    assert.deepEqual((await signIn('ada'))?.rights.management, ['admin'])
    await assert.rejects(signIn('ada', 'wrong'), OUT_OF_ORDER)
    await assert.rejects(signIn('ada-', 'pass'), OUT_OF_ORDER)
    await commit(state.ldapMappings.delete(2))
    await assert.rejects(signIn('bob'), OUT_OF_ORDER)
    clock.nowMs += 1
    await assert.rejects(signIn('ada'), OUT_OF_ORDER)
    await own.start()
    assert.notEqual(await signIn('ada'), null)
    await own.kill()
    await configure({ cache_ttl: 60 })
    await assert.rejects(signIn('ada'), OUT_OF_ORDER)
  })

  test('is asked every time when nothing is to be remembered', async (t) => {
    const through = await passingOn(t, server)
    const { signIn } = await aDirectory({ uris: [through.uri], ...SIMPLE, cache_ttl: 0 })
    for (const times of [1, 2, 3]) {
      assert.notEqual(await signIn('ada'), null)
      assert.equal(through.sockets.length, times)
    }
  })

  test('says who somebody is; what they may do follows mappings and roles at once', async () => {
    const { signIn, commit, state } = await aDirectory({ uris: [server.uri], ...SIMPLE })
    const may = async (name: string) => (await signIn(name))?.rights.management
    assert.deepEqual(await may('ada'), ['admin'])
    await commit(state.roles.put(1, { uid: 1, name: 'less', management: 'cluster_viewer', databaseUids: null }))
    assert.deepEqual(await may('ada'), ['cluster_viewer'])
    await commit(state.ldapMappings.put(3, { uid: 3, name: 'too', dn: ADMINS, roleUids: [2], alerts: {} }))
    assert.deepEqual(await may('ada'), ['cluster_viewer', 'db_viewer'])
    await commit(state.ldapMappings.delete(1), state.ldapMappings.delete(3))
    assert.equal(await signIn('ada'), null)
  })

  test('stands behind tokens for as long as its answer is remembered, with the rights of the moment', async () => {
    const { state, commit, configure, clock, directory } = await aDirectory({
      uris: [server.uri],
      ...SIMPLE,
      cache_ttl: 60,
    })
    const tokens = new Tokens(randomBytes(32))
    const onTrouble = (error: unknown) => assert.fail(String(error))
    const credentials = new Credentials({ state, tokens, now: () => clock.nowMs, onTrouble, directory })
    const signIn = () => credentials.check(`Basic ${Buffer.from('ada:ada-pass').toString('base64')}`, {})
    const bearer = async (token: string) => (await credentials.check(`Bearer ${token}`, {}))?.rights.management
    const issue = async (ttlSeconds: number) => {
      const identity = await signIn()
      assert.ok(identity)
      return credentials.issueToken(identity, ttlSeconds)
    }
    const [short, long] = [await issue(10), await issue(3_600)]
    assert.deepEqual(await bearer(short), ['admin'])
    clock.nowMs += 10_000
    assert.equal(await bearer(short), undefined, 'it has ended')
    await commit(state.ldapMappings.put(3, { uid: 3, name: 'too', dn: ADMINS, roleUids: [2], alerts: {} }))
    assert.deepEqual(await bearer(long), ['admin', 'db_viewer'])
    await commit(state.ldapMappings.delete(1), state.ldapMappings.delete(3))
    assert.equal(await bearer(long), undefined, 'nothing maps their groups')
    await commit(state.ldapMappings.put(1, { uid: 1, name: 'm1', dn: ADMINS, roleUids: [1], alerts: {} }))
    assert.deepEqual(await bearer(long), ['admin'])
    const renewed = await credentials.check(`Bearer ${long}`, {})
    assert.ok(renewed)
    const second = await credentials.issueToken(renewed, 3_600)
    assert.equal(await bearer(`${second.slice(0, -2)}xx`), undefined)
    clock.nowMs += 49_000
    assert.deepEqual(await bearer(second), ['admin'], 'a token gets another')
    clock.nowMs += 1_000
    assert.equal(await bearer(second), undefined, 'but none outlives what is remembered')
    await assert.rejects(credentials.issueToken(renewed, 3_600), { code: 'unauthorized' })
    const third = await issue(3_600)
    const user = { ...namesake, email: 'ADA' }
    await commit(state.users.put(1, user))
    assert.equal(await bearer(third), undefined, 'the name is of a user here now')
    await commit(state.users.delete(1))
    assert.deepEqual(await bearer(third), ['admin'])
    await configure({ cache_ttl: 61 })
    assert.equal(await bearer(third), undefined, 'it was asked in another way')
    const fourth = await issue(3_600)
    await configure({ cache_ttl: 61, control_plane: false })
    assert.equal(await bearer(fourth), undefined, 'it is not asked any more')
    await configure({ cache_ttl: 0 })
    await assert.rejects(issue(60), { code: 'unauthorized' })
  })
})
