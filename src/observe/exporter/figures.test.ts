import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Exposition, Kinds } from './exposition.ts'
import { Figures } from './figures.ts'

/** One text for each list of figures, all through the same two sides; a batch after each of them. */
function toldOf(lists: readonly (readonly (readonly [name: string, who: string, value: number])[])[]): string[] {
  const [figures, kinds] = [new Figures(), new Kinds()]
  const out = new Exposition(kinds)
  return lists.map((list) => {
    for (const [name, who, value] of list) {
      figures.group('a_').add('gauge', name, `{who="${who}"}`, value)
      const batch = structuredClone(figures.take())
      kinds.learn(batch.kinds)
      out.add(batch)
    }
    const text = Buffer.concat(out.text()).toString()
    out.release({ isRead: false })
    return text
  })
}

test('what is told in any order and in any batches is one block for each metric, with every line', () => {
  const figure = fc.tuple(fc.constantFrom('one', 'two', 'three'), fc.constantFrom('a', 'é"', ''), fc.nat())
  fc.assert(
    fc.property(fc.array(fc.array(figure)), (lists) => {
      for (const [index, text] of toldOf(lists).entries()) {
        const expected = Map.groupBy<string, (typeof lists)[0][0]>(lists[index] ?? [], ([name]) => name)
        const blocks = text.split(/(?=# TYPE )/).filter((block) => block !== '')
        assert.equal(blocks.length, expected.size)
        for (const block of blocks) {
          const [head = '', ...lines] = block.trimEnd().split('\n')
          const [, name = ''] = /^# TYPE a_(\w+) gauge$/.exec(head) ?? []
          assert.deepEqual(
            lines,
            expected.get(name)?.map(([, who, value]) => `a_${name}{who="${who}"} ${value}`),
          )
        }
      }
    }),
  )
})

test('more lines than there is room for at first', () => {
  const figures = new Figures()
  for (let index = 0; index < 10_000; index++) figures.add('counter', 'many', index < 5_000 ? '{a="1"}' : '', index)
  figures.add('counter', 'many', '', Number.NaN)
  figures.add('counter', 'many', '', undefined)
  const { labels, lines, values } = figures.take()
  assert.deepEqual([labels, lines.length, values.length], [['{a="1"}', ''], 20_000, 10_000])
  assert.ok(values.every((value, index) => value === index && lines[2 * index + 1] === Number(index >= 5_000)))
  assert.equal(figures.take().values.length, 0)
})

test('a histogram is told as far as it is known', () => {
  const [figures, kinds] = [new Figures(), new Kinds()]
  const group = figures.group('a_')
  const bounds = [1, 2]
  group.histogram('h', '{db="1"}', { bounds, counts: [3, 0, 4], sum: 20, count: 7 })
  group.histogram('h', '{db="2"}', { bounds, counts: [], sum: Number.NaN, count: 5 })
  group.histogram('h', '{db="3"}', { bounds, counts: [], sum: 1, count: Number.NaN })
  const out = new Exposition(kinds)
  const batch = figures.take()
  kinds.learn(batch.kinds)
  out.add(batch)
  assert.equal(
    Buffer.concat(out.text()).toString(),
    [
      '# TYPE a_h histogram',
      ...['a_h_bucket{db="1",le="1"} 3', 'a_h_bucket{db="1",le="2"} 3', 'a_h_bucket{db="1",le="+Inf"} 7'],
      ...['a_h_sum{db="1"} 20', 'a_h_count{db="1"} 7'],
      ...['a_h_bucket{db="2",le="+Inf"} 5', 'a_h_count{db="2"} 5', ''],
    ].join('\n'),
  )
})
