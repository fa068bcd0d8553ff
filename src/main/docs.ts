/**
 * Writes the generated parts of the documentation: the table of settings into the README, every field and what becomes of
 * it into docs/compatibility.md, every error code into docs/errors.md. `--check` writes nothing and fails when a file is
 * behind; the tests do the same.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { documents } from './generated-docs.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const isCheck = process.argv.includes('--check')
let behind = 0

for (const { path, render } of documents) {
  const before = await readFile(`${root}${path}`, 'utf8')
  const after = render(before)
  if (before === after) continue
  behind++
  if (isCheck) process.stderr.write(`${path} is behind: run npm run docs\n`)
  else await writeFile(`${root}${path}`, after)
}
if (isCheck && behind > 0) process.exitCode = 1
