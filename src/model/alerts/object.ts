/**
 * What an alert is about, as events write it: `cluster`, `node:1`, `bdb:7`.
 */
import type { AlertScope } from './kind.ts'

export type AlertObject = { readonly scope: AlertScope; readonly uid: number | null }

export const THE_CLUSTER = 'cluster'
export const CLUSTER: AlertObject = { scope: 'cluster', uid: null }

export function nodeObject(uid: number): string {
  return `node:${uid}`
}

export function databaseObject(uid: number): string {
  return `bdb:${uid}`
}

/** Null for text that is no such object. */
export function parseObject(text: string): AlertObject | null {
  if (text === THE_CLUSTER) return CLUSTER
  const [, scope, uid] = /^(node|bdb):(\d{1,10})$/.exec(text) ?? []
  if (scope === 'node' || scope === 'bdb') return { scope, uid: Number(uid) }
  return null
}
