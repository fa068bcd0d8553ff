// What is made of which files, and when again. Each test has a small project of its own, with our launcher and packages.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test from 'node:test'
import { projectRoot } from './places.mjs'

function project(t) {
  const root = mkdtempSync(join(tmpdir(), 'project-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  const put = (path, text) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  cpSync(join(projectRoot, 'launcher'), join(root, 'launcher'), { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) cpSync(join(projectRoot, name), join(root, name))
  symlinkSync(join(projectRoot, 'node_modules'), join(root, 'node_modules'))
  put('src/model/word.ts', 'export const word: string = "first"')
  put('src/main/start.ts', 'import { word } from "#model/word.ts"\nconsole.log(word)')
  for (const path of ['src/main/stop.ts', 'src/main/proxy.ts']) put(path, 'console.log("started")')
  for (const path of ['src/observe/exporter/thread.ts', 'src/store/sqlite-worker.ts']) put(path, 'export {}')
  const program = (name) => join(root, '.runtime', 'programs', `${name}.mjs`)
  return {
    root,
    put,
    program,
    shared: () => readdirSync(join(root, '.runtime', 'programs')).filter((name) => name.startsWith('shared-')),
    ready() {
      const module = JSON.stringify(join(root, 'launcher', 'programs.mjs'))
      const script = `
        import { readyPrograms } from ${module}
        try { await readyPrograms() } catch (error) { console.log(error.name, error.message) }`
      const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', script], {
        encoding: 'utf8',
      })
      return stdout.trim() + stderr.trim()
    },
    run: (name) => execFileSync(process.execPath, [program(name)], { encoding: 'utf8' }).trim(),
  }
}

test('programs are made once, and again when a file that went into them has changed', (t) => {
  const { put, ready, run, program } = project(t)
  assert.equal(ready(), '')
  assert.equal(run('start'), 'first')
  rmSync(program('stop'))
  ready()
  assert.equal(existsSync(program('stop')), false, 'nothing has changed')
  put('src/model/word.ts', 'export const word = "second"')
  assert.equal(ready(), '')
  assert.equal(run('start'), 'second')
  assert.equal(run('stop'), 'started')
})

test('a source that cannot be made into a program is said, and what there was stays', (t) => {
  const { put, ready, run } = project(t)
  ready()
  put('src/model/word.ts', 'export const word = ')
  assert.match(ready(), /^CannotGoOn the programs cannot be made from src\/: .*src\/model\/word\.ts:1:20: ERROR/s)
  assert.equal(run('start'), 'first')
})

test('where nothing can be written, that is said, with the folder', (t) => {
  const { put, ready } = project(t)
  put('.runtime', 'in the way')
  assert.match(ready(), /^CannotGoOn something is to be installed, and .*\.runtime cannot be written \(EEXIST/)
  const other = project(t)
  other.put('.runtime/programs', 'in the way')
  assert.match(other.ready(), /^CannotGoOn the programs cannot be kept in .*programs: E/)
  const third = project(t)
  mkdirSync(join(third.root, '.runtime'))
  symlinkSync('/nowhere/lock', join(third.root, '.runtime', 'lock'))
  assert.match(third.ready(), /^CannotGoOn something is to be installed, and .*cannot be written \(flock/)
})

test('threads and processes are started from the program beside, and others are refused', (t) => {
  const { put, ready, run, program } = project(t)
  const starting = (name) => `console.log(new URL("./${name}.ts", import.meta.url).pathname)`
  put('src/main/start.ts', starting('sqlite-worker'))
  ready()
  assert.equal(run('start'), program('sqlite-worker'))
  put('src/main/start.ts', starting('other'))
  assert.match(ready(), /other\.ts is started as a program, and is not among those/)
})

test('what the programs share is kept for one time more', (t) => {
  const { put, ready, run, shared } = project(t)
  put('src/main/stop.ts', 'import { word } from "#model/word.ts"\nconsole.log(word)')
  ready()
  const [first] = shared()
  assert.notEqual(first, undefined)
  put('src/model/word.ts', 'export const word = "second"')
  ready()
  assert.equal(shared().length, 2)
  put('src/model/word.ts', 'export const word = "the third"')
  ready()
  assert.equal(shared().length, 2)
  assert.equal(shared().includes(first), false)
  assert.equal(run('stop'), 'the third')
})

test('packages that are loaded when they are needed stay packages', (t) => {
  const { put, ready, run, program } = project(t)
  put('src/main/start.ts', 'const { Cron } = await import("croner")\nconsole.log(typeof Cron)')
  ready()
  assert.match(readFileSync(program('start'), 'utf8'), /import\("croner"\)/)
  assert.equal(run('start'), 'function')
})
