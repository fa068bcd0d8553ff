/**
 * A private LDAP server for one test: OpenLDAP's own slapd on free ports, in a temporary folder, with people, groups that
 * tell their members (memberOf) and certificates of its own. It can be killed, stopped in its tracks and started again.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'ldapts'
import { endChild } from './children.ts'
import type { CleanUps } from './instance.ts'
import { freePort } from './ports.ts'
import { until } from './wait.ts'

const run = promisify(execFile)
const SLAPD = '/usr/sbin/slapd'

export const BASE = 'dc=example,dc=org'
/** The account that searches. */
export const READER = { bind_dn: `cn=reader,${BASE}`, bind_pass: 'the-reader-s-secret' }
export const ADMINS = `cn=admins,ou=groups,${BASE}`
export const VIEWERS = `cn=viewers,ou=groups,${BASE}`
/** Their password is their name with "-pass". Eve is in no group. */
export const PEOPLE = ['ada', 'bob', 'eve', 'Smith, John'] as const

export const TEMPLATE = { user_dn_template: `cn=%u,ou=people,${BASE}` }
export const QUERY = {
  user_dn_query: { base: `ou=people,${BASE}`, filter: '(&(objectClass=person)(cn=%u))', scope: 'one' },
}
export const GROUP_ATTRIBUTE = { dn_group_attr: 'memberOf' }
export const GROUP_QUERY = {
  dn_group_query: { base: `ou=groups,${BASE}`, filter: 'member=%D', scope: 'subtree' },
}

export type Certificates = { readonly ca: string; readonly cert: string; readonly key: string }

export class LdapServer {
  readonly folder: string
  readonly uri: string
  readonly tlsUri: string
  readonly #tlsPort: number
  #child: ChildProcess | undefined

  constructor(folder: string, port: number, tlsPort: number) {
    this.folder = folder
    this.uri = `ldap://127.0.0.1:${port}`
    this.tlsUri = `ldaps://127.0.0.1:${tlsPort}`
    this.#tlsPort = tlsPort
  }

  /** The same server under a name that its certificate is not for. */
  get misnamedTlsUri(): string {
    return `ldaps://localhost:${this.#tlsPort}`
  }

  /** The authority of its certificate, and a certificate for clients. */
  async certificates(): Promise<Certificates> {
    const read = (name: string) => readFile(join(this.folder, name), 'utf8')
    return { ca: await read('ca.crt'), cert: await read('client.crt'), key: await read('client.key') }
  }

  async start(): Promise<void> {
    const child = spawn(
      join(this.folder, 'slapd'),
      ['-d', '0', '-f', join(this.folder, 'slapd.conf'), '-h', `${this.uri} ${this.tlsUri}`],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    this.#child = child
    let words = ''
    child.stderr?.on('data', (text) => {
      words += text
    })
    let failure: Error | undefined
    child.once('error', (cause) => {
      failure = new Error('slapd cannot be run: apt install slapd', { cause })
    })
    await until('slapd to answer', async () => {
      if (child.exitCode !== null) failure ??= new Error(`slapd ended with ${child.exitCode}: ${words}`)
      if (failure) return true
      await this.#asRoot(async () => undefined)
      return true
    })
    if (failure) throw failure
  }

  /** SIGSTOP: connections are still accepted, by the kernel, and nothing is ever answered. */
  /** When none of its threads runs any more: the kernel still accepts connections, and nothing is ever answered. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP')
    await until('the server to stand still', async () => {
      const threads = await readdir(`/proc/${this.#child?.pid}/task`)
      const states = threads.map((thread) => readFile(`/proc/${this.#child?.pid}/task/${thread}/stat`, 'utf8'))
      return (await Promise.all(states)).every((stat) => /^T/.test(stat.slice(stat.lastIndexOf(')') + 2)))
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async kill(): Promise<void> {
    await endChild(this.#child)
  }

  /** The tree that all tests find: the overlay that tells members their groups wants them to be added while it runs. */
  async fill(): Promise<void> {
    const person = (cn: string, userPassword: string) => ({ objectClass: 'person', cn, sn: cn, userPassword })
    const dnOf = (name: string) => `cn=${name.replace(',', '\\,')},ou=people,${BASE}`
    const group = (...names: string[]) => ({ objectClass: 'groupOfNames', member: names.map(dnOf) })
    await this.#asRoot(async (client) => {
      await client.add(BASE, { objectClass: ['dcObject', 'organization'], dc: 'example', o: 'Example' })
      await client.add(READER.bind_dn, person('reader', READER.bind_pass))
      for (const ou of ['people', 'groups'])
        await client.add(`ou=${ou},${BASE}`, { objectClass: 'organizationalUnit', ou })
      for (const name of PEOPLE) await client.add(dnOf(name), person(name, `${name}-pass`))
      await client.add(ADMINS, { ...group('ada'), cn: 'admins' })
      await client.add(VIEWERS, { ...group('bob', 'Smith, John'), cn: 'viewers' })
    })
  }

  async #asRoot(work: (client: Client) => Promise<void>): Promise<void> {
    const client = new Client({ url: this.uri, connectTimeout: 5_000, timeout: 5_000 })
    try {
      await client.bind(ROOT, 'root')
      await work(client)
    } finally {
      await client.unbind()
    }
  }
}

const ROOT = `cn=root,${BASE}`

/** `wantsCertificate`: clients that show none are sent away. */
export async function startLdapServer(t: CleanUps, wantsCertificate = false): Promise<LdapServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ldap-'))
  const server = new LdapServer(folder, await freePort(), await freePort())
  t.after(async () => {
    await server.kill()
    await rm(folder, { recursive: true, force: true })
  })
  await mkdir(join(folder, 'db'))
  // Under its own name some systems (AppArmor) keep it to the folders of the packaged service.
  await copyFile(SLAPD, join(folder, 'slapd'))
  await makeCertificates(folder)
  await writeFile(join(folder, 'slapd.conf'), configuration(folder, wantsCertificate))
  await server.start()
  await server.fill()
  return server
}

function configuration(folder: string, wantsCertificate: boolean): string {
  return `
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile ${folder}/ca.crt
TLSCertificateFile ${folder}/server.crt
TLSCertificateKeyFile ${folder}/server.key
TLSVerifyClient ${wantsCertificate ? 'demand' : 'never'}
database mdb
suffix "${BASE}"
rootdn "${ROOT}"
rootpw root
directory ${folder}/db
maxsize 16777216
dbnosync
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
`
}

/** An authority, and what it vouches for: the server as 127.0.0.1, and a client. */
async function makeCertificates(folder: string): Promise<void> {
  const make = (name: string, subject: string, ...more: string[]) => {
    const files = ['-keyout', join(folder, `${name}.key`), '-out', join(folder, `${name}.crt`)]
    const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2']
    return run('openssl', ['req', ...kind, ...files, '-subj', `/CN=${subject}`, ...more])
  }
  const signed = [
    '-CA',
    join(folder, 'ca.crt'),
    '-CAkey',
    join(folder, 'ca.key'),
    '-addext',
    'basicConstraints=CA:FALSE',
  ]
  await make('ca', 'test authority')
  await make('server', '127.0.0.1', ...signed, '-addext', 'subjectAltName=IP:127.0.0.1')
  await make('client', 'holdfast', ...signed)
}
