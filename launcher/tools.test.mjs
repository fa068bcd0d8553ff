// What is missing on the machine: found, installed by a pretended apt-get, or said in one line. Each test has a PATH of
// its own with nothing on it but what the scripts need and what the test puts there.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'

const module = new URL('./tools.mjs', import.meta.url).href

function machine(t) {
  const bin = mkdtempSync(join(tmpdir(), 'bin-'))
  t.after(() => rmSync(bin, { recursive: true, force: true }))
  for (const name of ['sh', 'cat', 'touch', 'chmod', 'flock', 'true']) {
    const real = ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find(existsSync)
    if (real) symlinkSync(real, join(bin, name))
  }
  return {
    bin,
    put(name, script) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    },
    ready(args = [], env = {}, uid = 0) {
      const script = `
        process.getuid = () => ${uid}
        import { readyTools } from ${JSON.stringify(module)}
        try { await readyTools('engine', ${JSON.stringify(args)}) } catch (error) { console.log(error.name, error.message) }`
      const options = { env: { PATH: bin, ...env }, encoding: 'utf8' }
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], options)
      return { refusal: stdout.trim(), said: stderr }
    },
    // What apt-get was asked to do, a line for each time, without its options.
    asked() {
      return readFileSync(join(bin, 'asked'), 'utf8')
        .trim()
        .split('\n')
        .map((line) =>
          line
            .split(' ')
            .filter((word) => !/^-|::/.test(word))
            .join(' '),
        )
    },
  }
}

function putAptGet({ put, bin }, install) {
  put('sudo', '[ "$1" = -n ] && shift; exec "$@"')
  put(
    'apt-get',
    `echo "$@" >>${bin}/asked\ncase " $* " in\n*" update "*) touch ${bin}/updated ;;\n*) ${install} ;;\nesac`,
  )
}
const makesRedis = (bin) => `touch ${bin}/redis-server; chmod 755 ${bin}/redis-server`

for (const name of ['redis-server', 'valkey-server']) {
  test(`asks for nothing when ${name} is there`, (t) => {
    const here = machine(t)
    here.put(name, 'exit 0')
    assert.deepEqual(here.ready(), { refusal: '', said: '' })
  })
}

test('asks for nothing when an engine is named, by flag or by variable', (t) => {
  const here = machine(t)
  assert.equal(here.ready(['--engine', 'redis=/opt/redis-server']).refusal, '')
  assert.equal(here.ready(['--engine=redis=/opt/redis-server']).refusal, '')
  assert.equal(here.ready([], { HOLDFAST_ENGINE: 'redis=/opt/redis-server' }).refusal, '')
})

test('says in one line what to install where there is no apt-get', (t) => {
  const { refusal } = machine(t).ready()
  assert.match(refusal, /^CannotGoOn not found: redis-server or valkey-server .* needs apt-get: do it first$/)
})

test('installs redis-server without reading the package lists when they are good', (t) => {
  const here = machine(t)
  putAptGet(here, makesRedis(here.bin))
  const { refusal, said } = here.ready()
  assert.equal(refusal, '')
  assert.match(said, /Installing Debian's redis-server, without starting any service/)
  assert.deepEqual(here.asked(), ['install redis-server'])
})

test('reads the package lists and tries again when the package is not found', (t) => {
  const here = machine(t)
  const notFound = 'echo "E: Unable to locate package redis-server" >&2; exit 100'
  putAptGet(here, `[ -e ${here.bin}/updated ] || { ${notFound}; }; ${makesRedis(here.bin)}`)
  assert.equal(here.ready().refusal, '')
  assert.deepEqual(here.asked(), ['install redis-server', 'update', 'install redis-server'])
})

test('shows what apt-get said when it fails', (t) => {
  const here = machine(t)
  putAptGet(here, 'echo "E: You have no room" >&2; exit 100')
  const { refusal, said } = here.ready()
  assert.match(refusal, /^CannotGoOn apt-get could not install redis-server, see above$/)
  assert.match(said, /E: You have no room/)
  assert.deepEqual(here.asked(), ['install redis-server'])
})

test('needs root, or a sudo that gives way', (t) => {
  const here = machine(t)
  putAptGet(here, makesRedis(here.bin))
  here.put('sudo', 'exit 1')
  assert.match(here.ready([], {}, 1000).refusal, /needs root or sudo: do it first$/)
  here.put('sudo', '[ "$1" = -n ] && shift; exec "$@"')
  assert.equal(here.ready([], {}, 1000).refusal, '')
})
