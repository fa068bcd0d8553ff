/**
 * The services of this node, as far as they can be told apart: what main has made tells how it is, and is stopped and
 * started here for as long as the control plane runs. Callers: the routes.
 */
import type { Operation, ServiceStatus } from '#model/service-operation.ts'

export type ServiceState = { readonly status: ServiceStatus; readonly startedAtMs: number | null }

export interface Service {
  state(): ServiceState
  /** Why this cannot be asked of it, in words; null: it can. */
  objection(operation: Operation): string | null
  /** Whether it went well. */
  carryOut(operation: Operation): Promise<boolean>
}

export class ServiceDesk {
  readonly #services = new Map<string, Service>()

  add(name: string, service: Service): void {
    this.#services.set(name, service)
  }

  get names(): readonly string[] {
    return [...this.#services.keys()].sort()
  }

  named(name: string): Service | undefined {
    return this.#services.get(name)
  }
}
