/**
 * Answers with statistics: of one object or of many, all samples of a time or the newest one. Many samples are sent while
 * they are read, a few objects at a time, so that neither memory nor anybody else waits for them. Callers: the routes.
 */
import { Readable } from 'node:stream'
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

/** `[{"uid": …, "intervals": […]}, …]` */
export async function answerAll(request: ApiRequest, parts: Parts, all: readonly Shown[]): Promise<Answer> {
  const question = questionOf(request, all)
  if (!question) return { json: [] }
  if (all.length <= OBJECTS_TOGETHER) return { json: await withIntervals(parts, question, all) }
  return { file: Readable.from(pieces(parts, question, all)), name: null }
}

export async function answerOne(request: ApiRequest, parts: Parts, one: Shown): Promise<Answer> {
  const question = questionIn(request, one.object.kind)
  const [json = null] = await withIntervals(parts, question, [one])
  return { json }
}

/** `{"1": {…}, …}`: the newest sample of each; nothing where there is none yet. */
export async function answerLast(request: ApiRequest, parts: Parts, all: readonly Shown[]): Promise<Answer> {
  const question = questionOf(request, all)
  const newest = question ? await newestOf(parts, question, all) : []
  return { json: Object.fromEntries(all.map(({ key }, index) => [key, newest[index] ?? {}])) }
}

export async function answerLastOne(request: ApiRequest, parts: Parts, one: Shown): Promise<Answer> {
  const [newest = {}] = await newestOf(parts, questionIn(request, one.object.kind), [one])
  return { json: newest }
}

/** Undefined: there is nobody to ask about. */
function questionOf(request: ApiRequest, [first]: readonly Shown[]): Question | undefined {
  return first && questionIn(request, first.object.kind)
}

async function newestOf({ statistics }: Parts, question: Question, all: readonly Shown[]): Promise<object[]> {
  const { interval, range } = question
  const found = await statistics.ranges(
    all.map(({ object }) => object),
    interval.name,
    range,
  )
  return found.map((samples) => {
    const newest = samples.at(-1)
    return newest ? shownSample(newest, question) : {}
  })
}

async function withIntervals({ statistics }: Parts, question: Question, all: readonly Shown[]): Promise<object[]> {
  const { interval, range } = question
  const found = await statistics.ranges(
    all.map(({ object }) => object),
    interval.name,
    range,
  )
  return all.map(({ fields }, index) => ({
    ...fields,
    intervals: (found[index] ?? []).map((sample) => shownSample(sample, question)),
  }))
}

async function* pieces(parts: Parts, question: Question, all: readonly Shown[]): AsyncGenerator<string> {
  for (let from = 0; from < all.length; from += OBJECTS_TOGETHER) {
    const some = await withIntervals(parts, question, all.slice(from, from + OBJECTS_TOGETHER))
    // The memory has no disk to wait for: others get their turn all the same.
    await new Promise(setImmediate)
    yield `${from === 0 ? '[' : ','}${some.map((one) => JSON.stringify(one)).join(',')}`
  }
  yield ']'
}
