/**
 * The LDAP directory as logins use it: a real slapd, asked in every form there is, and everything that can be wrong with it.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect as connectTo, createServer, type Socket } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ldapDefaults } from '#model/access/ldap.ts'
import { type ClientCertificate, openConnection, tlsContext } from '#server/ldap/connection.ts'
import { Directory } from '#server/ldap/directory.ts'
import { Credentials } from '#server/users/credentials.ts'
import type { Identity } from '#server/users/identity.ts'
import { Tokens } from '#server/users/tokens.ts'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import type { CleanUps } from './support/instance.ts'
import {
  ADMINS,
  GROUP_ATTRIBUTE,
  GROUP_QUERY,
  type LdapServer,
  QUERY,
  READER,
  startLdapServer,
  TEMPLATE,
  VIEWERS,
} from './support/ldap-server.ts'
import { freePort } from './support/ports.ts'
import { until } from './support/wait.ts'

const SIMPLE = { ...TEMPLATE, ...GROUP_ATTRIBUTE }
const OUT_OF_ORDER = { code: 'ldap_unreachable' }

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

/** A directory with the given settings, a mapping for each of the two groups, and a clock that moves when it is told to. */
async function aDirectory(settings: Record<string, unknown>, certificate?: ClientCertificate) {
  const state = new State({ store: new MemoryStore(), sealer: new Sealer([randomBytes(32)]), onTrouble: assert.fail })
  await state.view.start()
  const commit = async (...changes: Parameters<typeof state.view.commit>[0]['changes']) => {
    await state.view.commit({ compare: [], changes, configuration: true })
  }
  const configure = (more: Record<string, unknown>) => {
    const { bind_pass: bindPassword = '', ...rest } = { ...ldapDefaults(), control_plane: true, ...settings, ...more }
    return commit(state.ldap.put('', { settings: rest, bindPassword: String(bindPassword) }))
  }
  const role = (uid: number, management: 'admin' | 'db_viewer') =>
    state.roles.put(uid, { uid, name: management, management, databaseUids: null })
  const mapping = (uid: number, dn: string) =>
    state.ldapMappings.put(uid, { uid, name: `m${uid}`, dn, roleUids: [uid], alerts: {} })
  await commit(role(1, 'admin'), role(2, 'db_viewer'), mapping(1, ADMINS.toUpperCase()), mapping(2, VIEWERS))
  await configure({})
  const clock = { nowMs: 1_000_000 }
  const told: string[] = []
  const directory = new Directory({
    state,
    now: () => clock.nowMs,
    log: { warn: (facts) => void told.push(JSON.stringify(facts)) },
    certificate: () => certificate,
  })
  /** As Credentials do: what is remembered, else what is said. */
  const signIn = async (name: string, password = `${name}-pass`): Promise<Identity | null> =>
    directory.remembered(name, password)?.identity ?? (await directory.authenticate(name, password))
  return { state, commit, configure, clock, told, directory, signIn }
}

async function listening(t: CleanUps, serve: (socket: Socket) => void) {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { uri: `ldap://127.0.0.1:${port}`, sockets }
}

/** Passes everything on to the server, and counts. */
const passingOn = (t: CleanUps, to: LdapServer) =>
  listening(t, (socket) => {
    const onward = connectTo(Number(to.uri.split(':').at(-1)), '127.0.0.1').on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
    socket.on('close', () => onward.destroy())
  })

describe('an LDAP directory', () => {
  const cleanUps: (() => Promise<void>)[] = []
  let server: LdapServer
  before(async () => {
    server = await startLdapServer({ after: (cleanUp) => void cleanUps.push(cleanUp) })
  })
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })

  const forms = {
    'template and attribute': SIMPLE,
    'template and attribute, searching as somebody else': { ...SIMPLE, ...READER },
    'template and query': { ...TEMPLATE, ...GROUP_QUERY },
    'query and attribute': { ...READER, ...QUERY, ...GROUP_ATTRIBUTE },
    'query and query': { ...READER, ...QUERY, ...GROUP_QUERY },
  }
  for (const [form, settings] of Object.entries(forms)) {
    test(`is asked by ${form}`, async () => {
      const { signIn, told } = await aDirectory({ uris: [server.uri], ...settings })
      const ada = await signIn('ada')
      assert.deepEqual([ada?.userUid, ada?.userName, ada?.rights.management], [0, 'ada', ['admin']])
      assert.deepEqual((await signIn('bob'))?.rights.management, ['db_viewer'])
      assert.deepEqual((await signIn('Smith, John'))?.rights.management, ['db_viewer'])
      for (const [name, password] of [
        ['eve', 'eve-pass'],
        ['ada', 'bob-pass'],
        ['nobody', 'ada-pass'],
        ['reader', READER.bind_pass],
      ] as const)
        assert.equal(await signIn(name, password), null, name)
      assert.deepEqual(told, [])
    })

    test(`takes a name for nothing but a name: ${form}`, async () => {
      const { signIn, told } = await aDirectory({ uris: [server.uri], ...settings })
      for (const name of [
        ...['*', 'a*', ')(', 'ada)(cn=*', '*)(objectClass=*', 'ada)', '\\61da', '\\2a', '%u', '%D', 'ada\0', 'ada\0x'],
        ...['cn=ada', 'ada,ou=people', `ada,ou=people,dc=example,dc=org`, 'ada+sn=ada', '#616461', '"ada"', 'EXTERNAL'],
        ...[' ', '', 'ada'.repeat(200), 'Smith\\, John'],
      ])
        for (const password of ['ada-pass', 'Smith, John-pass']) assert.equal(await signIn(name, password), null, name)
      assert.deepEqual(told, [])
    })
  }

  test('never sends an empty password, to which servers say yes', async (t) => {
    const through = await passingOn(t, server)
    const { signIn } = await aDirectory({ uris: [through.uri], ...SIMPLE })
    for (const name of ['ada', 'nobody', '']) assert.equal(await signIn(name, ''), null)
    assert.equal(through.sockets.length, 0)
    assert.notEqual(await signIn('ada'), null)
    assert.equal(through.sockets.length, 1)
  })

  test('is asked once by many who say the same at the same time', async (t) => {
    const through = await passingOn(t, server)
    const { signIn } = await aDirectory({ uris: [through.uri], ...SIMPLE })
    const all = await Promise.all(Array.from({ length: 50 }, () => signIn('ada')))
    assert.ok(all.every((identity) => identity?.userName === 'ada'))
    assert.equal(through.sockets.length, 1)
  })

  test('hears of no more logins at a time than it should', async (t) => {
    const through = await passingOn(t, server)
    let most = 0
    const counting = setInterval(() => {
      most = Math.max(most, through.sockets.filter(({ destroyed }) => !destroyed).length)
    }, 1)
    t.after(async () => clearInterval(counting))
    const { signIn } = await aDirectory({ uris: [through.uri], ...SIMPLE })
    const guesses = await Promise.allSettled(Array.from({ length: 300 }, (_, n) => signIn('ada', `guess ${n}`)))
    const refused = guesses.filter(({ status }) => status === 'rejected').map((one) => Object(one).reason.code)
    assert.ok(guesses.every((one) => one.status === 'rejected' || one.value === null))
    assert.ok(refused.includes('too_many_logins'))
    assert.ok(most <= 10, String(most))
    assert.notEqual(await signIn('ada'), null)
  })

  for (const [way, settings] of Object.entries({
    LDAPS: () => ({ uris: [server.tlsUri] }),
    StartTLS: () => ({ uris: [server.uri], starttls: true }),
  })) {
    test(`is believed over ${way} only with a certificate of an authority that is trusted`, async () => {
      const { ca: ca_cert } = await server.certificates()
      const { signIn, configure, told } = await aDirectory({ ...settings(), ...SIMPLE, ...READER, ca_cert })
      assert.notEqual(await signIn('ada'), null)
      assert.equal(await signIn('ada', 'wrong'), null)
      assert.deepEqual(told, [])
      await configure({ ca_cert: '' })
      await assert.rejects(signIn('ada'), OUT_OF_ORDER)
      assert.match(String(told), /certificate/)
    })
  }

  test('is not believed with a certificate for another name', async () => {
    const { ca: ca_cert } = await server.certificates()
    const { signIn, told } = await aDirectory({ uris: [server.misnamedTlsUri], ...SIMPLE, ca_cert })
    await assert.rejects(signIn('ada'), OUT_OF_ORDER)
    assert.match(String(told), /altnames|localhost/)
  })

  test('is shown who we are when it asks for a certificate', async (t) => {
    const strict = await startLdapServer(t, true)
    const { ca: ca_cert, ...own } = await strict.certificates()
    const settings = { uris: [strict.tlsUri], ...SIMPLE, ca_cert }
    assert.notEqual(await (await aDirectory(settings, own)).signIn('ada'), null)
    await assert.rejects((await aDirectory(settings)).signIn('ada'), OUT_OF_ORDER)
  })

  test('gets no password in the clear when an encrypted connection is lost', async (t) => {
    const heard: Buffer[] = []
    // The answer that StartTLS may begin, with a "yes" to whatever is asked next, and then silence or the end.
    const yes = (id: number, tag: number) => Buffer.from([0x30, 0x0c, 2, 1, id, tag, 7, 10, 1, 0, 4, 0, 4, 0])
    const losing = async (what: 'nothing' | 'an end' | 'a forged yes') => {
      const tap = await listening(t, (socket) => {
        socket.on('data', (data) => {
          heard.push(data)
          if (data[0] !== 0x30) return
          socket.write(yes(data[4] ?? 0, 0x78))
          if (what === 'an end') socket.end()
          if (what === 'a forged yes') for (const id of [2, 3, 4]) socket.write(yes(id, 0x61))
        })
      })
      const { signIn } = await aDirectory({ uris: [tap.uri], starttls: true, ...SIMPLE, ...READER })
      await assert.rejects(signIn('ada'), OUT_OF_ORDER)
      assert.equal(tap.sockets.length, 1, what)
    }
    await Promise.all([losing('nothing'), losing('an end'), losing('a forged yes')])
    const everything = Buffer.concat(heard).toString('latin1')
    assert.ok(heard.length > 0)
    assert.ok(!everything.includes('ada-pass') && !everything.includes(READER.bind_pass))
  })

  test('is never connected to anew once an encrypted connection is lost', async (t) => {
    const through = await passingOn(t, server)
    const context = tlsContext((await server.certificates()).ca, undefined)
    const { signal } = new AbortController()
    const connection = await openConnection({ uri: through.uri, starttls: true, context: () => context }, signal)
    t.after(() => connection.close())
    assert.equal(await connection.bind(READER.bind_dn, READER.bind_pass), true)
    for (const socket of through.sockets) socket.destroy()
    for (const _time of [1, 2, 3]) await assert.rejects(connection.bind(READER.bind_dn, READER.bind_pass))
    assert.equal(through.sockets.length, 1)
  })

  test('may have several servers: the next is asked when one is dead, and remembered', async (t) => {
    const dead = await listening(t, (socket) => socket.destroy())
    const { signIn, told } = await aDirectory({
      uris: [`ldap://127.0.0.1:${await freePort()}`, dead.uri, server.uri],
      ...SIMPLE,
    })
    assert.notEqual(await signIn('ada'), null)
    assert.equal(dead.sockets.length, 1)
    assert.equal(await signIn('ada', 'wrong'), null)
    assert.notEqual(await signIn('bob'), null)
    assert.equal(dead.sockets.length, 1)
    assert.equal(told.length, 2)
  })

  test('is complained about once, not with every login', async () => {
    const uris = [`ldap://127.0.0.1:${await freePort()}`, `ldap://127.0.0.1:${await freePort()}`]
    const { signIn, told } = await aDirectory({ uris, ...SIMPLE })
    for (const name of ['ada', 'bob', 'eve']) await assert.rejects(signIn(name), OUT_OF_ORDER)
    assert.equal(told.length, 2)
    for (const uri of uris) assert.ok(told.some((one) => one.includes(uri) && one.includes('ECONNREFUSED')))
  })

  for (const [who, settings] of Object.entries({ 'nobody in particular': {}, 'somebody who searches': READER })) {
    test(`leaves a silent server in time to ask the next, as ${who}`, async (t) => {
      const silent = await listening(t, () => undefined)
      const { signIn, told } = await aDirectory({ uris: [silent.uri, server.uri], ...SIMPLE, ...settings })
      assert.notEqual(await signIn('ada'), null)
      assert.match(String(told), /in time/)
      assert.notEqual(await signIn('bob'), null)
      assert.equal(silent.sockets.length, 1)
    })
  }

  test('lets nobody in while it is silent, or says what nobody understands', async (t) => {
    const silent = await listening(t, () => undefined)
    const babbling = await listening(t, (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n'))
    const flooding = await listening(t, (socket) => {
      // The beginning of a message that never ends.
      socket.write(Buffer.from([0x30, 0x84, 0x7f, 0xff, 0xff, 0xff]))
      const more = () => void (socket.destroyed || socket.write(Buffer.alloc(1 << 20), () => setImmediate(more)))
      more()
    })
    await Promise.all(
      [silent, babbling, flooding].map(async ({ uri }) => {
        const { signIn } = await aDirectory({ uris: [uri], ...SIMPLE })
        // More than are asked about at a time: those in line do not wait for longer.
        const logins = await Promise.allSettled(Array.from({ length: 12 }, (_, n) => signIn(`somebody ${n}`)))
        for (const login of logins) assert.equal(Object(login).reason?.code, 'ldap_unreachable', uri)
      }),
    )
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

  test('does not take a wrong password of the account that searches for one of the user', async () => {
    const { signIn, told } = await aDirectory({
      uris: [server.uri],
      ...QUERY,
      ...GROUP_QUERY,
      ...READER,
      bind_pass: 'x',
    })
    await assert.rejects(signIn('ada'), OUT_OF_ORDER)
    assert.match(String(told), /bind_dn or bind_pass is wrong/)
  })

  test('stopped in its tracks, it is asked again when it goes on', async (t) => {
    const own = await startLdapServer(t)
    const { signIn } = await aDirectory({ uris: [own.uri], ...SIMPLE })
    await own.freeze()
    await assert.rejects(signIn('ada'), OUT_OF_ORDER)
    own.signal('SIGCONT')
    await until('ada to be let in', async () => (await signIn('ada')) !== null)
  })
})
