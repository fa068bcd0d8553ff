/**
 * What the proxy is told: the endpoints to serve, where their shards are, and what each may use. Callers: the program
 * (which reads it from a file), the control plane (which writes it), the proxy. Plain JSON; whole each time: the proxy
 * finds the differences itself and drops no client that an unchanged endpoint has.
 */
import { list, object, port, string, whole } from './config-fields.ts'
import { DEFAULT_LIMITS, type EndpointLimits } from './limits.ts'
import { type ClientTls, parseClientTls, parseShardTls, type ShardTls } from './tls-config.ts'

export type SlotRange = readonly [first: number, last: number]

export type ShardConfig = {
  readonly host: string
  readonly port: number
  readonly slots: readonly SlotRange[]
  /** The term of the primary: a map that the proxy has learned with a greater one is not overwritten. */
  readonly epoch: number
}

export type EndpointConfig = {
  readonly databaseUid: number
  readonly listen: { readonly host: string; readonly port: number }
  readonly shards: readonly ShardConfig[]
  /** Everything is handed on to this process, unread; `shards` then says nothing. */
  readonly relay?: { readonly host: string; readonly port: number }
  /** Clients speak TLS, all of them. Absent: none do. Whoever is connected stays as they are. */
  readonly tls?: ClientTls
  /** Every connection to a shard speaks TLS. */
  readonly shardsTls?: ShardTls
  /** Whom the proxy is when it asks for itself: the slot map, the commands. Absent: the engine's default user. */
  readonly control?: { readonly username: string; readonly password: string }
  /** May clients do anything without a password, as the engine's default user? */
  readonly isOpen: boolean
  /** May clients ask where the shards are? They can then go there themselves. */
  readonly speaksCluster: boolean
  /** Slots are on their way. When that ends, the map is asked for before `apply` resolves. */
  readonly isMoving: boolean
  /** Raised whenever users or passwords change: what was verified before is asked again. */
  readonly accountsEpoch: number
  readonly limits: EndpointLimits
}

export type ProxyConfig = {
  readonly endpoints: readonly EndpointConfig[]
  /** What all clients may need together before those that need most are closed. Absent: any amount. */
  readonly clientMemoryBytes?: number
}

/** Throws an Error that names the place, and never repeats a password or a key. */
export function parseProxyConfig(text: string): ProxyConfig {
  const { endpoints, clientMemoryBytes } = object(JSON.parse(text) as unknown, 'the configuration')
  const seen = new Set<number>()
  return {
    ...(clientMemoryBytes !== undefined && {
      clientMemoryBytes: whole(clientMemoryBytes, 'clientMemoryBytes', 1, Number.MAX_SAFE_INTEGER),
    }),
    endpoints: list(endpoints, 'endpoints').map((value, index) => {
      const endpoint = parseEndpoint(value, `endpoints[${index}]`)
      if (seen.has(endpoint.databaseUid)) throw new Error(`endpoints[${index}].databaseUid is there twice`)
      seen.add(endpoint.databaseUid)
      return endpoint
    }),
  }
}

function parseEndpoint(value: unknown, place: string): EndpointConfig {
  const fields = object(value, place)
  const listen = object(fields.listen, `${place}.listen`)
  const limits = fields.limits === undefined ? {} : object(fields.limits, `${place}.limits`)
  const control = fields.control === undefined ? undefined : object(fields.control, `${place}.control`)
  const relay = fields.relay === undefined ? undefined : object(fields.relay, `${place}.relay`)
  const limit = (name: keyof EndpointLimits) =>
    limits[name] === undefined ? DEFAULT_LIMITS[name] : whole(limits[name], `${place}.limits.${name}`, 1, 2 ** 40)
  return {
    databaseUid: whole(fields.databaseUid, `${place}.databaseUid`, 1, Number.MAX_SAFE_INTEGER),
    listen: { host: string(listen.host, `${place}.listen.host`), port: port(listen.port, `${place}.listen.port`) },
    shards: list(fields.shards, `${place}.shards`).map((shard, index) =>
      parseShard(shard, `${place}.shards[${index}]`),
    ),
    ...(relay && {
      relay: { host: string(relay.host, `${place}.relay.host`), port: port(relay.port, `${place}.relay.port`) },
    }),
    ...(fields.tls !== undefined && { tls: parseClientTls(fields.tls, `${place}.tls`) }),
    ...(fields.shardsTls !== undefined && { shardsTls: parseShardTls(fields.shardsTls, `${place}.shardsTls`) }),
    ...(control && {
      control: {
        username: string(control.username, `${place}.control.username`),
        password: string(control.password, `${place}.control.password`),
      },
    }),
    isOpen: fields.isOpen === true,
    speaksCluster: fields.speaksCluster === true,
    isMoving: fields.isMoving === true,
    accountsEpoch: whole(fields.accountsEpoch ?? 0, `${place}.accountsEpoch`, 0, Number.MAX_SAFE_INTEGER),
    limits: {
      maxConnections: limit('maxConnections'),
      maxClientPipeline: limit('maxClientPipeline'),
      maxPartialRequestBytes: limit('maxPartialRequestBytes'),
      maxOutputBytes: limit('maxOutputBytes'),
    },
  }
}

function parseShard(value: unknown, place: string): ShardConfig {
  const fields = object(value, place)
  return {
    host: string(fields.host, `${place}.host`),
    port: port(fields.port, `${place}.port`),
    epoch: whole(fields.epoch ?? 0, `${place}.epoch`, 0, Number.MAX_SAFE_INTEGER),
    slots: list(fields.slots, `${place}.slots`).map((range, index) => {
      const [first, last] = list(range, `${place}.slots[${index}]`)
      return [whole(first, `${place}.slots[${index}]`, 0, 16_383), whole(last, `${place}.slots[${index}]`, 0, 16_383)]
    }),
  }
}
