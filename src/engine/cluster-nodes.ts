/**
 * CLUSTER NODES as an engine writes it: who there is, who has which slots, which slots are on their way. Callers: the
 * agent. Pure. The format is the engine's own file format, stable since Redis 3.
 */
import type { SlotRange } from '#model/slots.ts'

export type ClusterNode = {
  readonly id: string
  readonly isMyself: boolean
  readonly isPrimary: boolean
  /** False while it is being met, or when nobody knows where it is. */
  readonly isKnown: boolean
  /** The node that it follows; null: nobody. */
  readonly follows: string | null
  readonly epoch: number
  readonly slots: readonly SlotRange[]
  /** Of the node that was asked alone: slots that are on their way to, or from, another. */
  readonly moving: readonly MovingSlot[]
}

export type MovingSlot = { readonly slot: number; readonly kind: 'to' | 'from'; readonly nodeId: string }

/** Also of the file that an engine keeps, whose last line speaks of variables. */
export function parseClusterNodes(text: string): ClusterNode[] {
  return text.split('\n').flatMap((line) => {
    const [id = '', , flagText = '', follows = '-', , , epoch = '0', , ...rest] = line.trim().split(' ')
    if (!/^[0-9a-f]{40}$/.test(id)) return []
    const flags = flagText.split(',')
    return {
      id,
      isMyself: flags.includes('myself'),
      isPrimary: flags.includes('master'),
      isKnown: !flags.includes('handshake') && !flags.includes('noaddr'),
      follows: follows === '-' ? null : follows,
      epoch: Number(epoch),
      slots: rest.flatMap(rangeOf),
      moving: rest.flatMap(movingOf),
    }
  })
}

function rangeOf(word: string): SlotRange[] {
  const [, first, last] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? []
  return first === undefined ? [] : [{ first: Number(first), last: Number(last ?? first) }]
}

/** `[93->-id]` leaves for it, `[93-<-id]` comes from it. */
function movingOf(word: string): MovingSlot[] {
  const [, slot, arrow, nodeId] = /^\[(\d+)-([<>])-([0-9a-f]{40})\]$/.exec(word) ?? []
  return nodeId === undefined ? [] : [{ slot: Number(slot), kind: arrow === '>' ? 'to' : 'from', nodeId }]
}
