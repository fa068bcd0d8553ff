/**
 * An authority with a responder, both OpenSSL's own: a certificate that names the responder, an index that says what has
 * become of it, and several who would answer, of whom not all may.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { endChild } from './children.ts'
import type { CleanUps } from './instance.ts'
import { freePort } from './ports.ts'
import { GiveUp, until } from './wait.ts'

const run = promisify(execFile)

/** `delegate` was let answer by the authority, `upstart` has a certificate of the same authority, `stranger` has not. */
export type Signer = 'authority' | 'delegate' | 'upstart' | 'stranger'
export type Fate = 'good' | 'revoked' | 'unknown'

const EXTENSIONS = (url: string) => `
[leaf]
subjectAltName = IP:127.0.0.1
authorityInfoAccess = OCSP;URI:${url}
[delegate]
extendedKeyUsage = OCSPSigning
[upstart]
extendedKeyUsage = serverAuth
`
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export class OcspAuthority {
  readonly folder: string
  readonly url: string
  readonly #port: number
  #child: ChildProcess | undefined

  constructor(folder: string, port: number) {
    this.folder = folder
    this.#port = port
    this.url = `http://127.0.0.1:${port}`
  }

  read(name: string): Promise<string> {
    return readFile(join(this.folder, name), 'utf8')
  }

  async make(): Promise<void> {
    await writeFile(join(this.folder, 'extensions'), EXTENSIONS(this.url))
    await this.#selfSigned('authority')
    await this.#selfSigned('stranger')
    for (const name of ['leaf', 'delegate', 'upstart']) await this.#issue(name)
    await this.decide('good')
  }

  /** What the responder will say of the leaf, from the next question on. */
  async decide(fate: Fate): Promise<void> {
    const { stdout } = await this.#openssl('x509', '-in', 'leaf.crt', '-noout', '-serial')
    const serial = stdout.trim().replace('serial=', '')
    const [status, revoked] = fate === 'revoked' ? ['R', '251224120000Z'] : ['V', '']
    const entry = `${status}\t491224120000Z\t${revoked}\t${serial}\tunknown\t/CN=leaf\n`
    await writeFile(join(this.folder, 'index'), fate === 'unknown' ? '' : entry)
  }

  /** What a responder makes of a question, without a responder running. */
  async answer(question: Buffer, signer: Signer = 'authority', ...more: readonly string[]): Promise<Buffer> {
    await writeFile(join(this.folder, 'question'), question)
    const files = ['-reqin', 'question', '-respout', 'answer']
    await this.#openssl('ocsp', '-index', 'index', '-CA', 'authority.crt', ...signed(signer), ...files, ...more)
    return await readFile(join(this.folder, 'answer'))
  }

  async serve(signer: Signer = 'authority'): Promise<void> {
    await this.stop()
    const args = ['ocsp', '-index', 'index', '-CA', 'authority.crt', ...signed(signer), '-ndays', '1']
    const child = spawn('openssl', [...args, '-port', String(this.#port)], {
      cwd: this.folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    let said = ''
    // Both are read on, or it would stop when they are full.
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text) => {
        said += text
      })
    // A connection that asks nothing would keep it: it serves one at a time.
    await until('the responder to listen', () => {
      if (child.exitCode !== null) throw new GiveUp(`openssl ended with ${child.exitCode}: ${said}`)
      return said.includes('waiting for OCSP client connections')
    })
  }

  /** SIGSTOP: connections are still accepted, by the kernel, and nothing is ever answered. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async stop(): Promise<void> {
    await endChild(this.#child)
  }

  async #selfSigned(name: string): Promise<void> {
    await this.#openssl('req', '-x509', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-subj', `/CN=${name}`)
  }

  async #issue(name: string): Promise<void> {
    await this.#openssl('req', ...KEY, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    const by = ['-CA', 'authority.crt', '-CAkey', 'authority.key', '-extfile', 'extensions', '-extensions', name]
    await this.#openssl('x509', '-req', '-in', `${name}.csr`, '-out', `${name}.crt`, '-days', '30', ...by)
  }

  #openssl(...args: readonly string[]): Promise<{ stdout: string }> {
    return run('openssl', args, { cwd: this.folder })
  }
}

function signed(signer: Signer): string[] {
  return ['-rsigner', `${signer}.crt`, '-rkey', `${signer}.key`]
}

export async function makeOcspAuthority(t: CleanUps): Promise<OcspAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-ocsp-'))
  const authority = new OcspAuthority(folder, await freePort())
  t.after(async () => {
    await authority.stop()
    await rm(folder, { recursive: true, force: true })
  })
  await authority.make()
  return authority
}
