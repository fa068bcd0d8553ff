/**
 * The house rules that neither tsc nor the linter can say, as tests. Each rule is a function of the files' texts, is
 * shown here to catch what it forbids, and is then held against the real tree. A message names the file and the line,
 * and says what to do instead.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import test from 'node:test'

type File = { readonly path: string; readonly text: string }
type Rule = (files: readonly File[]) => string[]

/** What each room may import; the arrows of ARCHITECTURE.md. `main` may import them all, and nobody imports `main`. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  model: [],
  plan: ['model'],
  store: ['model'],
  resp: ['model'],
  engine: ['resp', 'model'],
  // The server writes documents and asks for steps; it never touches a process, nor the agent that does.
  server: ['store', 'plan', 'resp', 'model'],
  agent: ['plan', 'engine', 'resp', 'model'],
  proxy: ['store', 'plan', 'engine', 'resp', 'model'],
  observe: ['store', 'plan', 'engine', 'resp', 'model'],
  discovery: ['store', 'plan', 'engine', 'resp', 'model'],
  // It speaks only the public API, like everybody else's tools.
  cli: [],
  main: ['server', 'agent', 'proxy', 'observe', 'discovery', 'cli', 'store', 'plan', 'engine', 'resp', 'model'],
}

const pureRooms = ['plan', 'model', 'resp']
const lineLimit = 400
const testLineLimit = 600

const importArrows: Rule = (files) =>
  files.filter(isSource).flatMap((file) =>
    importsOf(file).flatMap(({ specifier, line }) => {
      const say = (what: string) => `${file.path}:${line}: ${what}`
      const target = targetOf(file, specifier)
      const from = roomOf(file.path)
      if (target === null || from === null) return []
      const to = roomOf(target)
      if (servesTests(file.path) && target.startsWith('test/')) return []
      if (servesTests(target) && !servesTests(file.path)) return [say(`imports ${specifier}, which is for tests only`)]
      if (to === null) return [say(`imports ${specifier}, which is in no room: move it into one`)]
      if (!target.endsWith('.ts')) return [say(`imports ${specifier}: name the file, with .ts`)]
      if (to === from)
        return specifier.startsWith('#') ? [say(`imports ${specifier} of its own room: write a relative path`)] : []
      if (!specifier.startsWith('#'))
        return [say(`imports ${specifier} of another room: write #${target.slice('src/'.length)}`)]
      const allowed = arrows[from]
      if (allowed === undefined)
        return [say(`is in a room that has no arrows: add ${from} to the table in src/tidy.test.ts`)]
      if (allowed.includes(to)) return []
      const instead = allowed.length > 0 ? `it may import ${allowed.join(', ')}` : 'it imports no other room'
      return [say(`${from} must not import ${to}: ${instead}; move what both need down, or hand it in from main`)]
    }),
  )

/** Type imports count: two files that need each other's types are one idea, or lack a third file. */
const importCycles: Rule = (files) => {
  const byPath = new Map(files.filter(isSource).map((file) => [file.path, file]))
  const done = new Set<string>()
  const problems: string[] = []
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      const cycle = [...trail.slice(trail.indexOf(path)), path]
      problems.push(
        `${path}:1: is part of a cycle, ${cycle.join(' → ')}: move what both ends need into a file of its own`,
      )
      return
    }
    const file = byPath.get(path)
    if (file === undefined || done.has(path)) return
    for (const { specifier } of importsOf(file)) {
      const target = targetOf(file, specifier)
      if (target !== null) visit(target, [...trail, path])
    }
    done.add(path)
  }
  for (const path of byPath.keys()) visit(path, [])
  return problems
}

const opensWithComment: Rule = (files) =>
  files
    .filter((file) => (isSource(file) || file.path.startsWith('launcher/')) && !isTest(file.path))
    .filter(({ text }) => !/^(#!.*\n)?\s*\/[/*]/.test(text))
    .map(({ path }) => `${path}:1: opens without a comment: say what it is for, who calls it, what it must never do`)

const notTooLong: Rule = (files) =>
  files.flatMap(({ path, text }) => {
    const limit = isTest(path) || path.startsWith('test/') ? testLineLimit : lineLimit
    const lines = text.split('\n').length - 1
    return lines > limit
      ? [`${path}:${limit}: has ${lines} lines, the limit is ${limit}: there is a second idea in it`]
      : []
  })

const pureRoomsArePure = forbid(
  (path) => !isTest(path) && pureRooms.includes(roomOf(path) ?? ''),
  /\bDate\.now\(|\bnew Date\(\s*\)|\bMath\.random\(|\bperformance\.now\(|\brandom(UUID|Bytes|Int)\(/,
  'time, chance and ids come in as arguments here',
)
const environmentOnlyInMain = forbid(
  (path) => path.startsWith('src/') && !isTest(path) && roomOf(path) !== 'main',
  /\bprocess\.env\b|\bimport\s*\{[^}]*\benv\b[^}]*\}\s*from 'node:process'/,
  'settings are read once, in src/main: take the value as an argument',
)
const noConsole = forbid(
  (path) => path.startsWith('src/') && roomOf(path) !== 'main',
  /\bconsole\.\w+\(/,
  'log through the logger that you were given; only programs in src/main write to the terminal',
)
const noFocusedTests = forbid(
  (path) => isTest(path),
  /\b(test|it|describe|suite)\.(only|skip|todo)\(|\{[^}]*\b(only|skip): true\b|\bt\.skip\(/,
  'a test runs, or it is deleted',
)
const noPromises = forbid(
  () => true,
  /\b(TODO|FIXME|XXX)\b/,
  'do it now, or open an issue and name it',
  'with comments',
)

/** A rule that no matching file has a line on which `pattern` is found in the code, or in the comments too. */
function forbid(applies: (path: string) => boolean, pattern: RegExp, instead: string, where = 'in code'): Rule {
  return (files) =>
    files
      .filter((file) => applies(file.path) && file.path !== 'src/tidy.test.ts')
      .flatMap((file) => {
        const text = where === 'in code' ? blanked(file.text, 'comments and strings') : file.text
        return [...text.matchAll(new RegExp(pattern, 'g'))].map(
          (match) => `${file.path}:${lineOf(text, match.index)}: ${match[0].trim()}: ${instead}`,
        )
      })
}

function isSource({ path }: File): boolean {
  return path.startsWith('src/') && path !== 'src/tidy.test.ts'
}

function isTest(path: string): boolean {
  return /\.test\.(ts|mjs)$/.test(path)
}

/** A test, or what the tests of a room share. */
function servesTests(path: string): boolean {
  return isTest(path) || /\/(testing|contract-suite)\.ts$/.test(path)
}

/** The first folder below src; null for a file that is in none. */
function roomOf(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null
}

/** The path that a specifier leads to; null for packages and for Node's own modules. */
function targetOf(file: File, specifier: string): string | null {
  if (specifier.startsWith('#')) return `src/${specifier.slice(1)}`
  if (specifier.startsWith('.')) return posix.join(posix.dirname(file.path), specifier)
  return null
}

function importsOf({ text }: File): { specifier: string; line: number }[] {
  const code = blanked(text, 'comments')
  const statements =
    /(?:^|[;\n])\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"\n]+)['"]|\bimport\s*\(?\s*['"]([^'"\n]+)['"]/g
  return [...code.matchAll(statements)].map((match) => ({
    specifier: match[1] ?? match[2] ?? '',
    line: lineOf(code, match.index + match[0].length),
  }))
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}

const pieces = new RegExp(
  [
    /\/\/[^\n]*|\/\*[\s\S]*?\*\//, // a comment
    /'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/, // a string
    /(?<=(?:^|[(,=:[!&|?{};\n]|=>|\breturn)[ \t]*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\//, // a regular expression
  ]
    .map(({ source }) => `(${source})`)
    .join('|'),
  'g',
)

/** The text with what is not code blanked out, line for line, so that an index still leads to the right line. */
function blanked(text: string, what: 'comments' | 'comments and strings'): string {
  return text.replace(pieces, (piece: string, comment?: string, string?: string) => {
    if (comment === undefined && (what === 'comments' || (string !== undefined && /^['"]node:/.test(piece))))
      return piece
    // What stands inside a template's ${…} is code.
    if (string?.startsWith('`'))
      return piece.replace(/\$\{[^}]*\}|[^\n]/g, (part) => (part.startsWith('${') ? part : ' '))
    return piece.replace(/[^\n]/g, ' ')
  })
}

const root = new URL('..', import.meta.url)
const patterns = ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'launcher/**/*.mjs']
const tree: File[] = patterns
  .flatMap((pattern) => globSync(pattern, { cwd: root }))
  .sort()
  .map((path) => ({ path, text: readFileSync(new URL(path, root), 'utf8') }))

const rules: { title: string; rule: Rule; caught: File[]; fine: File[] }[] = [
  {
    title: 'imports follow the arrows between the rooms',
    rule: importArrows,
    caught: [
      { path: 'src/model/a.ts', text: "import { b } from '#plan/b.ts'\n" },
      { path: 'src/server/a.ts', text: "import type { b } from '#agent/b.ts'\n" },
      { path: 'src/server/a.ts', text: "import {\n  b,\n} from '#engine/b.ts'\n" },
      { path: 'src/store/a.ts', text: "export * from '#main/b.ts'\n" },
      { path: 'src/plan/a.ts', text: "const b = await import('#store/b.ts')\n" },
      { path: 'src/plan/a.ts', text: "import '../model/b.ts'\n" },
      { path: 'src/plan/a.ts', text: "import { b } from '#plan/b.ts'\n" },
      { path: 'src/plan/a.ts', text: "import { b } from '../../test/b.ts'\n" },
      { path: 'src/attic/a.ts', text: "import { b } from '#model/b.ts'\n" },
      { path: 'src/plan/a.ts', text: "import { b } from './testing.ts'\n" },
    ],
    fine: [
      {
        path: 'src/server/x/a.ts',
        text: "import { b } from '../b.ts'\nimport c from '#model/c.ts'\nimport d from 'pino'\n",
      },
      { path: 'src/server/a.test.ts', text: "import { b } from '../../test/b.ts'\n" },
      { path: 'src/server/testing.ts', text: "import { b } from '../../test/b.ts'\n" },
      { path: 'src/model/a.ts', text: "// import { b } from '#plan/b.ts'\n" },
    ],
  },
  {
    title: 'no files import each other in a circle',
    rule: importCycles,
    caught: [
      { path: 'src/plan/a.ts', text: "import { b } from './b.ts'\n" },
      { path: 'src/plan/b.ts', text: "import type { c } from './c.ts'\n" },
      { path: 'src/plan/c.ts', text: "export { a } from './a.ts'\n" },
    ],
    fine: [
      { path: 'src/plan/a.ts', text: "import { b } from './b.ts'\nimport { c } from './c.ts'\n" },
      { path: 'src/plan/b.ts', text: "import { c } from './c.ts'\n" },
      { path: 'src/plan/c.ts', text: '' },
    ],
  },
  {
    title: 'every module opens with a comment',
    rule: opensWithComment,
    caught: [{ path: 'src/plan/a.ts', text: 'export const a = 1 // one\n' }],
    fine: [
      { path: 'src/plan/a.ts', text: '/** What for. */\nexport const a = 1\n' },
      { path: 'src/plan/a.test.ts', text: 'test()\n' },
    ],
  },
  {
    title: `no file has more than ${lineLimit} lines, no test more than ${testLineLimit}`,
    rule: notTooLong,
    caught: [{ path: 'src/plan/a.ts', text: '\n'.repeat(lineLimit + 1) }],
    fine: [{ path: 'src/plan/a.test.ts', text: '\n'.repeat(testLineLimit) }],
  },
  {
    title: `nothing in ${pureRooms.join(', ')} asks for the time or for chance by itself`,
    rule: pureRoomsArePure,
    caught: [
      'Date.now()',
      'new Date()',
      'Math.random()',
      'performance.now()',
      'randomUUID()',
      `\`at \${Date.now()}\``,
    ].map((code) => ({ path: 'src/plan/a.ts', text: `const a = ${code}\n` })),
    fine: [
      { path: 'src/plan/a.ts', text: "const a = new Date(now) // never Date.now()\nconst b = 'Date.now()'\n" },
      { path: 'src/agent/a.ts', text: 'const a = Date.now()\n' },
    ],
  },
  {
    title: 'the environment is read in src/main and the launcher only',
    rule: environmentOnlyInMain,
    caught: [
      { path: 'src/agent/a.ts', text: 'const a = process.env.HOME\n' },
      { path: 'src/agent/a.ts', text: "import { env } from 'node:process'\n" },
    ],
    fine: [{ path: 'src/main/a.ts', text: 'const a = process.env\n' }],
  },
  {
    title: 'nothing but the programs writes to the terminal',
    rule: noConsole,
    caught: [{ path: 'src/server/a.ts', text: "console.log('a')\n" }],
    fine: [{ path: 'src/main/a.ts', text: "console.log('a')\n" }],
  },
  {
    title: 'no test is skipped, and none runs alone',
    rule: noFocusedTests,
    caught: [
      "test.only('a', f)",
      "it.skip('a', f)",
      "test('a', { skip: true }, f)",
      "test('a', { timeout: 1, only: true }, f)",
    ].map((text) => ({ path: 'src/plan/a.test.ts', text })),
    fine: [{ path: 'src/plan/a.test.ts', text: "test('a', { timeout: 1 }, f)\n" }],
  },
  {
    title: 'nothing is left for later in a comment',
    rule: noPromises,
    caught: [{ path: 'src/plan/a.ts', text: '// TODO: later\n' }],
    fine: [{ path: 'src/plan/a.ts', text: "const mastodon = 'to do'\n" }],
  },
]

for (const { title, rule, caught, fine } of rules) {
  test(`${title}: the rule itself`, () => {
    assert.deepEqual(rule(fine), [])
    const isOneCase = rule === importCycles
    for (const files of isOneCase ? [caught] : caught.map((file) => [file])) {
      assert.equal(rule(files).length, 1, `must be caught: ${files.map(({ text }) => text).join()}`)
    }
  })

  test(title, () => {
    const problems = rule(tree)
    assert.ok(problems.length === 0, `\n${problems.join('\n')}\n`)
  })
}
