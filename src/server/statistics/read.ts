/**
 * Answers with statistics: of one object or of many, all samples of a time or the newest one. Many samples are sent while
 * they are read, a few objects at a time, so that neither memory nor anybody else waits for them. Callers: the routes.
 */
import { Readable } from 'node:stream'
import type { Kind } from '#model/statistics/metrics.ts'
import type { Measured } from '#model/statistics/objects.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { type Question, questionIn, shownSample } from './question.ts'

/** What is said of an object beside its samples; `uid` first. */
export type Shown = {
  readonly object: Measured
  readonly key: string
  readonly fields: Readonly<Record<string, unknown>>
}

const OBJECTS_TOGETHER = 50

/** `[{"uid": …, "intervals": […]}, …]`; `kind` is that of all of them, also when there is none. */
export async function answerAll(request: ApiRequest, parts: Parts, kind: Kind, all: readonly Shown[]): Promise<Answer> {
  const question = questionIn(request, kind)
  if (all.length <= OBJECTS_TOGETHER) return { json: await withIntervals(parts, question, all) }
  return { file: Readable.from(pieces(parts, question, all)), name: null }
}

export async function answerOne(request: ApiRequest, parts: Parts, one: Shown): Promise<Answer> {
  const question = questionIn(request, one.object.kind)
  const [json = null] = await withIntervals(parts, question, [one])
  return { json }
}

/** `{"1": {…}, …}`: the newest sample of each; nothing where there is none yet. */
export async function answerLast(
  request: ApiRequest,
  parts: Parts,
  kind: Kind,
  all: readonly Shown[],
): Promise<Answer> {
  const newest = await newestOf(parts, questionIn(request, kind), all)
  return { json: Object.fromEntries(all.map(({ key }, index) => [key, newest[index] ?? {}])) }
}

export async function answerLastOne(request: ApiRequest, parts: Parts, one: Shown): Promise<Answer> {
  const [newest = {}] = await newestOf(parts, questionIn(request, one.object.kind), [one])
  return { json: newest }
}

async function newestOf(parts: Parts, question: Question, all: readonly Shown[]): Promise<object[]> {
  const shown: object[] = []
  for await (const some of inGroups(all)) {
    for (const samples of await samplesOf(parts, question, some)) {
      const newest = samples.at(-1)
      shown.push(newest ? shownSample(newest, question) : {})
    }
  }
  return shown
}

async function withIntervals(parts: Parts, question: Question, all: readonly Shown[]): Promise<object[]> {
  const found = await samplesOf(parts, question, all)
  return all.map(({ fields }, index) => ({
    ...fields,
    intervals: (found[index] ?? []).map((sample) => shownSample(sample, question)),
  }))
}

function samplesOf({ statistics }: Parts, { interval, range }: Question, all: readonly Shown[]) {
  return statistics.ranges(
    all.map(({ object }) => object),
    interval.name,
    range,
  )
}

async function* pieces(parts: Parts, question: Question, all: readonly Shown[]): AsyncGenerator<string> {
  let before = '['
  for await (const some of inGroups(all)) {
    const shown = await withIntervals(parts, question, some)
    yield `${before}${shown.map((one) => JSON.stringify(one)).join(',')}`
    before = ','
  }
  yield ']'
}

async function* inGroups(all: readonly Shown[]): AsyncGenerator<readonly Shown[]> {
  for (let from = 0; from < all.length; from += OBJECTS_TOGETHER) {
    yield all.slice(from, from + OBJECTS_TOGETHER)
    // The memory has no disk to wait for: others get their turn all the same.
    await new Promise(setImmediate)
  }
}
