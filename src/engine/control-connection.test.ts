import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { encodeValue } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import { textOf } from '#resp/value.ts'
import { CallTimeout, ConnectionLost, ControlConnection, EngineError, Question } from './control-connection.ts'

/** An engine that answers every command as it is told to. */
async function fakeEngine(
  t: TestContext,
  answer: (words: string[], socket: Socket) => void,
  below = '',
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-control-'))
  await mkdir(join(folder, below), { recursive: true })
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const parser = new RespParser()
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      for (const value of parser.push(chunk))
        answer(value.kind === 'array' ? value.items.map((item) => textOf(item) ?? '') : [], socket)
    })
  })
  const cwd = process.cwd()
  process.chdir(join(folder, below))
  await new Promise<void>((resolve) => server.listen('s.sock', resolve))
  process.chdir(cwd)
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
    await rm(folder, { recursive: true })
  })
  return join(folder, below, 's.sock')
}

const echo = (words: string[], socket: Socket) =>
  socket.write(encodeValue({ kind: 'bulk', bytes: Buffer.from(words.join(' ')) }))

test('answers come in order, however many were sent without waiting', async (t) => {
  const connection = await ControlConnection.open(await fakeEngine(t, echo))
  const sent = Array.from({ length: 500 }, (_, at) => ['ECHO', String(at)])
  const replies = await Promise.all(connection.send(sent))
  assert.deepEqual(
    replies.map(textOf),
    sent.map((words) => words.join(' ')),
  )
  connection.close()
})

test('a text arrives whole, in one piece or in many, alone or among others', async (t) => {
  const long = 'x'.repeat(200_000)
  const path = await fakeEngine(t, (words, socket) => {
    if (words[0] === 'SPLIT') {
      socket.write('$12\r\nin tw')
      setTimeout(() => socket.write('o parts\r\n'), 20)
    } else if (words[0] === 'LONG') socket.write(`$${long.length}\r\n${long}\r\n`)
    else if (words[0] === 'BAD') socket.write('-ERR no\r\n')
    else if (words[0] === 'NUMBER') socket.write(':1\r\n')
    else echo(words, socket)
  })
  const connection = await ControlConnection.open(path)
  assert.equal(await connection.text(new Question(['ECHO', 'one'])), 'ECHO one')
  assert.equal(await connection.text(new Question(['ECHO', ''])), 'ECHO ')
  assert.equal(await connection.text(new Question(['SPLIT'])), 'in two parts')
  assert.equal(await connection.text(new Question(['LONG'])), long)
  const [first, second, third] = await Promise.all([
    connection.text(new Question(['LONG'])),
    connection.call(['ECHO', 'value']),
    connection.text(new Question(['ECHO', 'last'])),
  ])
  assert.deepEqual([first, textOf(second), third], [long, 'ECHO value', 'ECHO last'])
  await assert.rejects(connection.text(new Question(['BAD'])), { name: 'EngineError', code: 'ERR' })
  await assert.rejects(connection.text(new Question(['NUMBER'])), /no text/)
  connection.close()
})

test('what was answered is not written over by what comes later', async (t) => {
  const connection = await ControlConnection.open(await fakeEngine(t, echo))
  const first = await connection.call(['ECHO', 'a'.repeat(9_000)])
  await connection.call(['ECHO', 'b'.repeat(9_000)])
  assert.equal(textOf(first), `ECHO ${'a'.repeat(9_000)}`)
  connection.close()
})

test('an error reply becomes an EngineError with its code; the next answer is the next command’s', async (t) => {
  const path = await fakeEngine(t, (words, socket) =>
    words[0] === 'BAD' ? socket.write('-WRONGTYPE not that\r\n') : echo(words, socket),
  )
  const connection = await ControlConnection.open(path)
  const [bad, good] = connection.send([['BAD'], ['GOOD']])
  await assert.rejects(bad ?? Promise.resolve(), (error) => error instanceof EngineError && error.code === 'WRONGTYPE')
  assert.equal(textOf((await good) ?? { kind: 'null', form: 'bulk' }), 'GOOD')
  connection.close()
})

test('who gives up, by time or by signal, does not shift the answers of the others', async (t) => {
  const late: (() => void)[] = []
  const connection = await ControlConnection.open(
    await fakeEngine(t, (words, socket) => late.push(() => echo(words, socket))),
  )
  const giveUp = new AbortController()
  const first = connection.call(['ONE'], { timeoutMs: 5 })
  const second = connection.call(['TWO'], { signal: giveUp.signal })
  const third = connection.call(['THREE'])
  giveUp.abort(new Error('enough'))
  await Promise.all([assert.rejects(first, CallTimeout), assert.rejects(second, /enough/)])
  while (late.length < 3) await delay(1)
  for (const send of late) send()
  assert.equal(textOf(await third), 'THREE')
  connection.close()
})

test('when the engine closes, `closed` says so and everything that waits fails', async (t) => {
  const connection = await ControlConnection.open(await fakeEngine(t, (_, socket) => socket.destroy()))
  const waiting = connection.send([['ONE'], ['TWO']])
  const ends = await Promise.allSettled(waiting)
  assert.ok(ends.every((end) => end.status === 'rejected' && end.reason instanceof ConnectionLost))
  assert.ok((await connection.closed) instanceof ConnectionLost)
  assert.equal(connection.isOpen, false)
  await assert.rejects(connection.call(['THREE']), ConnectionLost)
})

test('an engine that speaks nonsense, or unasked, loses the connection', async (t) => {
  const nonsense = await ControlConnection.open(await fakeEngine(t, (_, socket) => socket.write('what?\r\n')))
  await assert.rejects(nonsense.call(['PING']), /does not speak its protocol/)
  const refused = await ControlConnection.open(
    await fakeEngine(t, (_, socket) => socket.end('+OK\r\n-ERR max number of clients reached\r\n')),
  )
  await refused.call(['PING'])
  assert.match((await refused.closed).message, /max number of clients/)
})

test('the number of callers that wait is bounded, whatever each of them sends', async (t) => {
  const late: (() => void)[] = []
  const connection = await ControlConnection.open(
    await fakeEngine(t, (words, socket) => late.push(() => echo(words, socket))),
  )
  const each = Array.from({ length: 500 }, () => ['PING'])
  const giversOfSlots = [1, 2, 3, 4].map(() => Promise.all(connection.send(each)))
  const rest = Array.from({ length: 996 }, () => connection.call(['PING']))
  await assert.rejects(connection.call(['ONE', 'TOO', 'MANY']), CallTimeout)
  while (late.length < 4 * 500 + 996) await delay(1)
  for (const send of late.splice(0)) send()
  await Promise.all([...giversOfSlots, ...rest])
  const next = connection.call(['PING'])
  while (late.length < 1) await delay(1)
  late[0]?.()
  assert.equal(textOf(await next), 'PING')
  connection.close()
})

test('a socket in a folder with a name too long for the kernel is reached all the same', async (t) => {
  const path = await fakeEngine(t, echo, 'long/'.repeat(40))
  assert.ok(Buffer.byteLength(path) > 107)
  const connection = await ControlConnection.open(path)
  assert.equal(textOf(await connection.call(['HI'])), 'HI')
  connection.close()
  await assert.rejects(ControlConnection.open(join(path, '..', `${'x'.repeat(120)}.sock`)), /too long/)
  await assert.rejects(ControlConnection.open('/nowhere/s.sock'), { code: 'ENOENT' })
})
