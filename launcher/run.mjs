// The door behind every `npm` command: `node launcher/run.mjs <program> [arguments]`. It brings what the program needs
// (a newer Node, the npm packages, an engine), then runs the program on that Node and ends as it ends.
//
// Any Node from 20 on must be able to run this folder, before any package is installed: plain JavaScript, no
// dependencies. With everything in place it must cost next to nothing, because `npm start` has to be ready within a
// second; so what only an installation needs is imported when there is something to install.

import { join } from 'node:path'
import { readyNode } from './node.mjs'
import { readyPackages } from './packages.mjs'
import { projectRoot } from './places.mjs'
import { runToEnd } from './program.mjs'
import { programFile, readyPrograms } from './programs.mjs'
import { CannotGoOn, say } from './say.mjs'
import { START_ENVIRONMENT, START_FLAGS } from './start-options.mjs'
import { readyTools } from './tools.mjs'

// `made`: one of the programs that are made into one file each. `packages`: what must stand in node_modules. `tools`: which of the machine's own programs it needs, see tools.mjs.
// `folder`: whether relative paths among the arguments mean the folder in which the person typed the command.
// `flags`, `environment`: for Node itself. See start-options.mjs.
const programs = {
  start: {
    made: 'start',
    packages: 'production',
    tools: 'engine',
    folder: 'callers',
    flags: START_FLAGS,
    environment: START_ENVIRONMENT,
  },
  stop: { made: 'stop', packages: 'production', tools: 'none', folder: 'callers' },
  openapi: { file: 'src/main/openapi.ts', packages: 'production', tools: 'none', folder: 'project' },
  docs: { file: 'src/main/docs.ts', packages: 'production', tools: 'none', folder: 'project' },
  dashboards: { file: 'bench/dashboards.ts', packages: 'development', tools: 'dashboards', folder: 'callers' },
  'redis-suite': { file: 'test/redis-suite/run.ts', packages: 'development', tools: 'suite', folder: 'callers' },
  bench: { file: 'bench/run.ts', packages: 'development', tools: 'bench', folder: 'project' },
  test: { file: 'launcher/test.mjs', packages: 'development', tools: 'test', folder: 'project' },
}

const [name, ...args] = process.argv.slice(2)
const program = Object.hasOwn(programs, name ?? '') ? programs[name] : undefined

try {
  if (!program) throw new CannotGoOn(`"${name ?? ''}" is none of the programs: ${Object.keys(programs).join(', ')}`)
  const node = await readyNode()
  await readyPackages(node, program.packages)
  await readyTools(program.tools, args)
  if (program.made) await readyPrograms()
  process.exitCode = await runToEnd(
    node,
    [...(program.flags ?? []), program.made ? programFile(program.made) : join(projectRoot, program.file), ...args],
    program.folder,
    program.environment,
  )
} catch (error) {
  if (!(error instanceof CannotGoOn)) throw error
  say(error.message)
  process.exitCode = 2
}
