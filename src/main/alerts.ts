/**
 * Alerts in the control plane: what they are held against, who keeps their states, and where changes go.
 */
import type { NewEvent } from '#model/event.ts'
import type { PortRange } from '#model/port-range.ts'
import type { Statistics } from '#model/statistics/contract.ts'
import { figuresOf } from '#observe/alerts/figures.ts'
import { AlertKeeper, type KeeperLog } from '#observe/alerts/keeper.ts'
import { Notifications, type NotificationsOptions } from '#observe/alerts/notify.ts'
import { AlertReader } from '#observe/alerts/readings.ts'
import type { Agent } from '#plan/agent.ts'
import type { Store } from '#store/contract.ts'
import type { State } from '#store/state.ts'

export type AlertsOptions = {
  readonly state: State
  readonly store: Store
  readonly agents: ReadonlyMap<number, Agent>
  readonly statistics: Statistics
  readonly ports: readonly PortRange[]
  readonly periodSeconds: number
  readonly record: (event: NewEvent) => void
  readonly now: () => number
  readonly log: KeeperLog
}

export function alertKeeper(options: AlertsOptions): AlertKeeper {
  const { periodSeconds, record, statistics, ...rest } = options
  const reader = new AlertReader({ ...rest, figures: figuresOf(statistics) })
  return new AlertKeeper({ ...rest, record, periodMs: periodSeconds * 1000, read: (signal) => reader.read(signal) })
}

/** What changes within the fifth of a period, and never more than two seconds, goes in one message. */
const GROUP_PART = 5
const LONGEST_GROUP_MS = 2_000

export function notifications(
  options: Omit<NotificationsOptions, 'groupMs'> & { readonly periodSeconds: number },
): Notifications {
  const { periodSeconds, ...rest } = options
  return new Notifications({ ...rest, groupMs: Math.min(LONGEST_GROUP_MS, (periodSeconds * 1000) / GROUP_PART) })
}
