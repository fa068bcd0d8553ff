/**
 * From a node to a cluster of one: the first documents, in one transaction. Before it almost nothing answers; after it,
 * creating again is refused. A control plane that starts on existing state finds itself bootstrapped.
 */

import { BUILT_IN_ACLS, BUILT_IN_ROLES } from '#model/built-in.ts'
import type { UserDocument } from '#model/documents/access.ts'
import { type ClusterDocument, NOTHING_GIVEN, type NodeDocument } from '#model/documents/cluster.ts'
import type { State } from '#store/state.ts'
import { newPassword } from '../users/password-hash.ts'

export type BootstrapStatus = {
  readonly state: 'idle' | 'creating_cluster' | 'completed' | 'error'
  readonly startedAt: string
  readonly endedAt: string
  readonly error: string
}

export type NewCluster = {
  readonly name: string
  readonly userName: string
  readonly password: string
  /** Where applications reach the databases of this node. */
  readonly address: string
  readonly nodeSettings: Readonly<Record<string, unknown>>
  readonly policy: Readonly<Record<string, unknown>>
}

export class Bootstrap {
  readonly #state: State
  readonly #nodeUid: number
  readonly #now: () => number
  /** Told when a cluster has come to be here, with its name: the certificate is made for it. */
  readonly #onCreated: (name: string) => Promise<void>
  readonly #folderId: string
  #status: BootstrapStatus = { state: 'idle', startedAt: '', endedAt: '', error: '' }

  constructor(options: {
    state: State
    nodeUid: number
    now: () => number
    folderId: string
    onCreated: (name: string) => Promise<void>
  }) {
    this.#state = options.state
    this.#nodeUid = options.nodeUid
    this.#now = options.now
    this.#onCreated = options.onCreated
    this.#folderId = options.folderId
  }

  get isDone(): boolean {
    return this.#state.cluster.size > 0
  }

  get status(): BootstrapStatus {
    const cluster = this.#state.cluster.get('')
    if (!cluster || this.#status.state === 'completed') return this.#status
    const { createdAt } = cluster.value
    return { state: 'completed', startedAt: createdAt, endedAt: createdAt, error: '' }
  }

  /** False: there is a cluster already, or one is being made. Rejects with StoreTrouble; then nothing was made. */
  async createCluster(wanted: NewCluster): Promise<boolean> {
    if (this.isDone || this.#status.state === 'creating_cluster') return false
    const startedAt = this.#nowIso()
    this.#status = { state: 'creating_cluster', startedAt, endedAt: '', error: '' }
    try {
      const created = await this.#write(wanted, startedAt)
      if (created) await this.#onCreated(wanted.name)
      this.#status = { state: 'completed', startedAt, endedAt: this.#nowIso(), error: '' }
      return created
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#status = { state: 'error', startedAt, endedAt: this.#nowIso(), error: message }
      throw error
    }
  }

  async #write(wanted: NewCluster, createdAt: string): Promise<boolean> {
    const { cluster, nodes, users, roles, redisAcls, counters, view } = this.#state
    const clusterDocument: ClusterDocument = {
      name: wanted.name,
      createdAt,
      settings: {},
      policy: { ...wanted.policy },
    }
    const node: NodeDocument = {
      uid: this.#nodeUid,
      folderId: this.#folderId,
      address: wanted.address,
      createdAt,
      settings: { ...wanted.nodeSettings },
    }
    const user: UserDocument = {
      uid: 1,
      email: wanted.userName,
      name: 'Administrator',
      authMethod: 'regular',
      certificateSubject: '',
      roleUids: [1],
      passwords: [await newPassword(wanted.password, createdAt, 'argon2id')],
      alerts: {},
      createdAt,
    }
    const outcome = await view.commit({
      compare: [cluster.unchanged('', undefined)],
      changes: [
        cluster.put('', clusterDocument),
        nodes.put(node.uid, node),
        users.put(user.uid, user),
        ...BUILT_IN_ROLES.map((role) => roles.put(role.uid, role)),
        ...BUILT_IN_ACLS.map((acl) => redisAcls.put(acl.uid, acl)),
        counters.put('', {
          ...NOTHING_GIVEN,
          user: user.uid,
          role: BUILT_IN_ROLES.length,
          redisAcl: BUILT_IN_ACLS.length,
        }),
      ],
      configuration: true,
    })
    return outcome.committed
  }

  #nowIso(): string {
    return new Date(this.#now()).toISOString()
  }
}
