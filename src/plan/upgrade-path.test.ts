import assert from 'node:assert/strict'
import test from 'node:test'
import { type Engine, upgradeProblem } from './upgrade-path.ts'

const engine = (text: string): Engine => {
  const [name, version = ''] = text.split(' ')
  return { name: name === 'valkey' ? 'valkey' : 'redis', version }
}
const problem = (from: string, to: string) => upgradeProblem(engine(from), engine(to))

test('a newer engine takes over from an older one, also the other kind where it reads its data', () => {
  for (const [from, to] of [
    ['redis 7.0.15', 'redis 7.0.15'],
    ['redis 7.0.15', 'redis 8.2.1'],
    ['redis 7.2.5', 'valkey 8.1.0'],
    ['valkey 7.2.9', 'valkey 8.10.0'],
    ['valkey 8.9.0', 'valkey 8.10.0'],
  ] as const)
    assert.equal(problem(from, to), null, `${from} → ${to}`)
})

test('what could not read the data is refused, with the reason', () => {
  assert.match(problem('redis 8.0.0', 'redis 7.4.2') ?? '', /older version/)
  assert.match(problem('redis 7.10.0', 'redis 7.9.0') ?? '', /older version/)
  assert.match(problem('redis 7.4.2', 'valkey 8.1.0') ?? '', /Redis up to 7\.2/)
  assert.match(problem('valkey 7.2.0', 'redis 8.0.0') ?? '', /does not read what Valkey writes/)
  assert.match(problem('redis 6.2.6', 'redis 7.0.15') ?? '', /cannot give its port away/)
})
