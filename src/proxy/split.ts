/**
 * Commands with keys of several slots, which a cluster refuses: cut into one request per slot, and the replies joined.
 * Callers: the router. Not atomic: other clients can see some of the parts done and others not, and when one part
 * fails, the others may have been carried out; the answer is then the error.
 *
 * When all keys are in one slot the request is passed on untouched, and is as atomic as ever.
 */
import { encodeValue } from '#resp/encode.ts'
import type { RespValue } from '#resp/value.ts'
import { ask } from './ask.ts'
import type { Client } from './client.ts'
import { errorValue, firstError, itemsOf, type Join, sum } from './join.ts'
import { hashSlotOf, sendToSlot } from './passing.ts'
import { type Request, wrongArguments } from './request.ts'

/** The places of the keys in the request, of one slot. */
type Part = { readonly slot: number; readonly places: number[] }

function partsOf(request: Request, step: number): Part[] {
  const parts = new Map<number, Part>()
  for (let index = 1; index < request.words.length; index += step) {
    const slot = hashSlotOf(request.words[index] ?? Buffer.alloc(0))
    const part = parts.get(slot)
    if (part) part.places.push(index)
    else parts.set(slot, { slot, places: [index] })
  }
  return [...parts.values()]
}

function splitting(step: number, join: (parts: readonly Part[], request: Request) => Join) {
  return (client: Client, request: Request): boolean => {
    const { words } = request
    if (words.length < 2 || (words.length - 1) % step !== 0) {
      client.reply(wrongArguments(request.name))
      return true
    }
    const parts = partsOf(request, step)
    const [only] = parts
    if (parts.length === 1 && only) {
      sendToSlot(client, only.slot, request.raw)
      return true
    }
    const answers = parts.map(({ slot, places }) => {
      const keys = places.flatMap((place) => words.slice(place, place + step))
      return ask(client.pool?.forSlot(slot), [request.name, ...keys], { slot, onDetour: () => client.answers.detour() })
    })
    const pending = client.enqueue()
    void Promise.all(answers).then((values) => client.complete(pending, encodeValue(join(parts, request)(values))))
    return true
  }
}

/** The values in the order of the keys. */
function inOrder(parts: readonly Part[], request: Request): Join {
  return (answers) => {
    const error = firstError(answers)
    if (error) return error
    const items: RespValue[] = new Array(request.words.length - 1).fill(errorValue('ERR a shard left an answer out'))
    parts.forEach(({ places }, part) => {
      const values = itemsOf(answers[part])
      places.forEach((place, index) => {
        items[place - 1] = values[index] ?? errorValue('ERR a shard left an answer out')
      })
    })
    return { kind: 'array', items }
  }
}

const allOk: Join = (answers) => firstError(answers) ?? { kind: 'status', text: 'OK' }

const counting = splitting(1, () => sum)

export const SPLITS: Readonly<Record<string, (client: Client, request: Request) => boolean>> = {
  mget: splitting(1, inOrder),
  mset: splitting(2, () => allOk),
  del: counting,
  unlink: counting,
  exists: counting,
  touch: counting,
}
