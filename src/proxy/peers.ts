/**
 * What one worker asks of the others: whom they serve, and to let some of them go. Plain data, since it goes from process
 * to process. Callers: the CLIENT commands; the crew and the program carry questions and answers.
 */

/** Whom a question is about: everything that is given must be so. */
export type Choice = {
  readonly ids?: readonly number[]
  readonly address?: string
  readonly localAddress?: string
  readonly username?: string
  readonly type?: ClientType
  /** Whoever has been there for less is left out. */
  readonly leastAgeSeconds?: number
  /** Whoever asks. */
  readonly exceptId?: number
}

/** Nobody is the other two, through a proxy. */
export type ClientType = 'normal' | 'pubsub' | 'replication'

export type ClientQuestion =
  | { readonly kind: 'list'; readonly choice: Choice }
  | { readonly kind: 'kill'; readonly choice: Choice }
  | { readonly kind: 'unblock'; readonly id: number; readonly withError: boolean }

export type ClientAnswer = {
  /** How many it concerned. */
  readonly count: number
  /** One line for each client, when they were to be listed. */
  readonly lines: readonly { readonly id: number; readonly line: string }[]
}

export interface Peers {
  /** Of those who serve the same endpoint, and answer in time. Never rejects. */
  ask(databaseUid: number, question: ClientQuestion): Promise<readonly ClientAnswer[]>
}

/** The proxy of one process. */
export const NO_PEERS: Peers = { ask: () => Promise.resolve([]) }
