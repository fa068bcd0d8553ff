/**
 * The LDAP directory as logins use it: a real slapd, asked in every form there is, and everything that can be wrong with it.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { openConnection, tlsContext } from '#server/ldap/connection.ts'
import { aDirectory, listening, OUT_OF_ORDER, passingOn, SIMPLE } from './support/ldap-directory.ts'
import {
  GROUP_ATTRIBUTE,
  GROUP_QUERY,
  type LdapServer,
  QUERY,
  READER,
  startLdapServer,
  TEMPLATE,
} from './support/ldap-server.ts'
import { freePort } from './support/ports.ts'
import { until } from './support/wait.ts'

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
