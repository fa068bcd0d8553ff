import assert from 'node:assert/strict'
import { test } from 'node:test'
import { networkOf } from '../http/network.ts'
import { FairLine } from './fair-line.ts'

/** A line in which one is served and the others wait; `served` and `sentAway` tell who in which order. */
function aLine(waiting: number, chance = () => 0.999) {
  const line = new FairLine({ atOnce: 1, waiting }, chance)
  const served: string[] = []
  const sentAway: string[] = []
  assert.equal(line.enter('first', 'first'), true)
  const come = (address: string, name: string, as = `${address} ${name}`) => {
    const turn = line.enter(address, name)
    assert.ok(turn instanceof Promise)
    void turn.then((isServed) => (isServed ? served : sentAway).push(as))
  }
  const serveAll = async (turns: number) => {
    for (let turn = 0; turn < turns; turn++) line.leave()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { line, served, sentAway, come, serveAll }
}

test('addresses take turns, however much one of them sends', async () => {
  const { served, come, serveAll } = aLine(100)
  for (let guess = 0; guess < 50; guess++) come('guesser', `name${guess}`)
  come('other', 'jane')
  come('third', 'joe')
  await serveAll(4)
  assert.deepEqual(served, ['guesser name0', 'other jane', 'third joe', 'guesser name1'])
})

test('behind one address names take turns', async () => {
  const { served, come, serveAll } = aLine(100)
  for (let guess = 0; guess < 50; guess++) come('proxy', 'admin', `guess ${guess}`)
  come('proxy', 'jane', 'jane')
  await serveAll(3)
  assert.deepEqual(served, ['guess 0', 'jane', 'guess 1'])
})

test('a full line lets in who has little in it, at the cost of who has most', async () => {
  const { served, sentAway, come, serveAll } = aLine(10)
  for (let guess = 0; guess < 12; guess++) come('guesser', 'admin', `guess ${guess}`)
  come('other', 'jane', 'jane')
  await serveAll(2)
  assert.deepEqual(sentAway, ['guess 10', 'guess 11', 'guess 9'])
  assert.deepEqual(served, ['guess 0', 'jane'])
})

test('nobody is sent away for being the last among equals', async () => {
  const chances = [0, 0.999]
  const { sentAway, come, serveAll } = aLine(3, () => chances.shift() ?? 0)
  for (const name of ['a', 'b', 'c', 'd']) come('proxy', name, name)
  await serveAll(0)
  assert.deepEqual(sentAway, ['d'], 'the second chance chooses among the names')
  come('proxy', 'e', 'e')
  await serveAll(0)
  assert.deepEqual(sentAway, ['d', 'a'])
})

test('after everybody has gone, the next one has their turn at once', async () => {
  const { line, served, come, serveAll } = aLine(10)
  for (let number = 0; number < 10; number++) come(`address${number % 3}`, `name${number % 2}`)
  await serveAll(11)
  assert.equal(served.length, 10)
  assert.equal(line.enter('later', 'later'), true)
})

test('one neighbour is an IPv4 address, or a /64', () => {
  const cases: [string | undefined, string][] = [
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::6', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
    [undefined, ''],
  ]
  for (const [address, network] of cases) assert.equal(networkOf(address), network)
})
