/**
 * The LDAP directory as logins use it, on a state of its own and a clock that tests move; and servers that stand in
 * between, to count or to be silent.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { connect as connectTo, createServer, type Socket } from 'node:net'
import { ldapDefaults } from '#model/access/ldap.ts'
import type { ClientCertificate } from '#server/ldap/connection.ts'
import { Directory } from '#server/ldap/directory.ts'
import type { Identity } from '#server/users/identity.ts'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import type { CleanUps } from './instance.ts'
import { ADMINS, GROUP_ATTRIBUTE, type LdapServer, TEMPLATE, VIEWERS } from './ldap-server.ts'
import { freePort } from './ports.ts'

/** The simplest settings that find people and their groups. */
export const SIMPLE = { ...TEMPLATE, ...GROUP_ATTRIBUTE }
export const OUT_OF_ORDER = { code: 'ldap_unreachable' }

/** A directory with the given settings, a mapping for each of the two groups, and a clock that moves when it is told to. */
export async function aDirectory(settings: Record<string, unknown>, certificate?: ClientCertificate) {
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

export async function listening(t: CleanUps, serve: (socket: Socket) => void) {
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
export const passingOn = (t: CleanUps, to: LdapServer) =>
  listening(t, (socket) => {
    const onward = connectTo(Number(to.uri.split(':').at(-1)), '127.0.0.1').on('error', () => undefined)
    socket.pipe(onward).pipe(socket)
    socket.on('close', () => onward.destroy())
  })
