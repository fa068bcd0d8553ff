/**
 * How the answers of several shards become one. Pure: values in, a value out. Callers: split and fan-out commands. An
 * error of any shard is the answer: half of a result would be taken for all of it.
 */
import type { RespValue } from '#resp/value.ts'

export type Join = (answers: readonly RespValue[]) => RespValue

export const errorValue = (text: string): RespValue => ({ kind: 'error', text, bulk: false })

export function firstError(answers: readonly RespValue[]): RespValue | undefined {
  return answers.find(({ kind }) => kind === 'error')
}

export function itemsOf(value: RespValue | undefined): readonly RespValue[] {
  return value && 'items' in value ? value.items : []
}

export function numberOf(value: RespValue | undefined): number {
  return value?.kind === 'integer' ? Number(value.value) : 0
}

const sound =
  (join: Join): Join =>
  (answers) =>
    firstError(answers) ?? join(answers)

export const first: Join = sound((answers) => answers[0] ?? errorValue('CLUSTERDOWN no shard answered'))
export const sum: Join = sound((answers) => integer(answers.reduce((total, answer) => total + numberOf(answer), 0)))
export const least: Join = sound((answers) => integer(Math.min(...answers.map(numberOf))))
export const greatest: Join = sound((answers) => integer(Math.max(...answers.map(numberOf))))
export const concatenation: Join = sound((answers) => ({ kind: 'array', items: answers.flatMap(itemsOf) }))
/** Element by element: present everywhere, or not at all (SCRIPT EXISTS). */
export const leastOfEach: Join = sound((answers) => ({
  kind: 'array',
  items: itemsOf(answers[0]).map((_, index) =>
    integer(Math.min(...answers.map((answer) => numberOf(itemsOf(answer)[index])))),
  ),
}))
const integer = (value: number): RespValue => ({ kind: 'integer', value })
