// The programs that a node consists of, each made into one file below .runtime/, and a few that they share: started from
// the thousand files in src/ and node_modules/ that it is written in, the control plane takes a third of a second longer
// and 14 MB more. They are made again when one of the files that they were made from has changed.

import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { projectRoot, runtimeFolder } from './places.mjs'
import { CannotGoOn } from './say.mjs'

const SOURCES = [
  'src/main/start.ts',
  'src/main/stop.ts',
  'src/main/proxy.ts',
  'src/observe/exporter/thread.ts',
  'src/store/sqlite-worker.ts',
]
/** Packages that read files which lie beside theirs. */
const APART = ['etcd3', 'cockatiel']
/** What the outcome depends on besides the files that went into it: what is in node_modules, and how it is made. */
const ALWAYS = ['package.json', 'package-lock.json', 'launcher/programs.mjs']

const folder = join(runtimeFolder, 'programs')
const receipt = join(folder, 'made-from.json')

/** Of the program in `<name>.ts`. */
export function programFile(name) {
  return join(folder, `${name}.mjs`)
}

/** Makes them unless they are there; costs next to nothing when they are. Throws CannotGoOn when they cannot be made. */
export async function readyPrograms() {
  if (areMade()) return
  const { withLock } = await import('./install.mjs')
  await withLock(async () => {
    if (areMade()) return // by a launcher that ran at the same time
    const startedAt = Date.now()
    const { outputFiles, metafile } = await bundle()
    const files = outputFiles.map(({ path, text }) => ({ name: basename(path), text: withPrograms(text) }))
    try {
      keep(files, Object.keys(metafile.inputs), startedAt)
    } catch (error) {
      throw new CannotGoOn(`the programs cannot be kept in ${folder}: ${error.message}`)
    }
  })
}

/** `inputs`: all that went into them, as it was at `startedAt`. */
function keep(files, inputs, startedAt) {
  mkdirSync(folder, { recursive: true })
  // Each file is the old one or the new one, whoever reads and whenever we end; those of the last time stay for
  // whoever is just starting from them.
  const last = readReceipt()?.made
  if (last) for (const name of readdirSync(folder)) if (!last.includes(name)) rmSync(join(folder, name))
  rmSync(receipt, { force: true })
  for (const { name, text } of files) put(join(folder, name), text)
  const sources = inputs.filter((path) => !path.startsWith('node_modules/'))
  const from = Object.fromEntries([...ALWAYS, ...sources].map((path) => [path, stateOf(path, startedAt)]))
  put(receipt, JSON.stringify({ made: files.map(({ name }) => name), from }))
}

function areMade() {
  const made = readReceipt()
  try {
    return made !== null && Object.entries(made.from).every(([path, state]) => stateOf(path) === state)
  } catch {
    return false // one of them is gone
  }
}

/** Which files were made, and from which; null: nobody knows. */
function readReceipt() {
  try {
    return JSON.parse(readFileSync(receipt, 'utf8'))
  } catch {
    return null
  }
}

/** What changes when the file does. One that is younger than `readAt` may have been read as it was before. */
function stateOf(path, readAt = Number.POSITIVE_INFINITY) {
  const { size, mtimeMs } = statSync(join(projectRoot, path))
  return mtimeMs < readAt ? `${size} ${mtimeMs}` : 'unknown'
}

async function bundle() {
  const { build, stop } = await import('esbuild')
  try {
    return await build({
      absWorkingDir: projectRoot,
      entryPoints: SOURCES,
      outdir: folder,
      entryNames: '[name]',
      outExtension: { '.js': '.mjs' },
      chunkNames: 'shared-[hash]',
      bundle: true,
      splitting: true,
      external: APART,
      platform: 'node',
      format: 'esm',
      // Some packages still ask for Node's own modules with require().
      banner: {
        js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url)",
      },
      plugins: [lazyPackages],
      // The paths in ours are for types only.
      tsconfigRaw: '{}',
      metafile: true,
      write: false,
    })
  } catch (error) {
    throw new CannotGoOn(`the programs cannot be made from src/: ${error.message}`)
  } finally {
    await stop()
  }
}

/** What most starts never need stays where it is until somebody needs it. */
const lazyPackages = {
  name: 'lazy packages',
  setup({ onResolve }) {
    onResolve({ filter: /^[^.#/]/ }, ({ kind, path }) =>
      kind === 'dynamic-import' ? { path, external: true } : undefined,
    )
  },
}

/** Threads and processes are started from files beside the one that starts them: so they are here, by another name. */
function withPrograms(text) {
  return text.replace(/new URL\("\.\/([\w-]+)\.ts", import\.meta\.url\)/g, (_, name) => {
    if (!SOURCES.some((source) => basename(source, '.ts') === name))
      throw new Error(`${name}.ts is started as a program, and is not among those that launcher/programs.mjs makes`)
    return `new URL("./${name}.mjs", import.meta.url)`
  })
}

function put(path, text) {
  writeFileSync(`${path}.new`, text)
  renameSync(`${path}.new`, path)
}
