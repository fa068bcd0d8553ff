/**
 * The database as it is kept: what the API was asked for (`config`, in the API's own field names, because the schema
 * of that object is its only truth), and what the control plane decided around it. Written by the API and by the
 * planner's recorder only; whether it has come true is in the status document, never here.
 */
import Type, { type Static } from 'typebox'
import type { DatabaseConfig } from '../database/schema.ts'
import { SlotRange } from '../slots.ts'

/** Where one of several shards is reached: by the proxy and cluster clients, and by the other shards. */
export const ShardPorts = Type.Object({
  clients: Type.Integer({ minimum: 1, maximum: 65535 }),
  bus: Type.Integer({ minimum: 1, maximum: 65535 }),
})
export type ShardPorts = Static<typeof ShardPorts>

export const Engine = Type.Object({
  name: Type.Union([Type.Literal('redis'), Type.Literal('valkey')]),
  version: Type.String(),
})

/** One engine process of the database. */
export const ShardPlace = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  nodeUid: Type.Integer({ minimum: 1 }),
  /** Processes of one group have the same slots and the same data: one leads, the others follow it. */
  group: Type.Integer({ minimum: 1 }),
  slots: Type.Array(SlotRange),
  /** Null: the database is not sharded, and whoever leads has the endpoint's port. */
  ports: Type.Union([ShardPorts, Type.Null()]),
  /** It is being replaced, and runs this until it goes; see plan/replacing.ts. */
  leaving: Type.Optional(Type.Object({ engine: Engine })),
})
export type ShardPlace = Static<typeof ShardPlace>

const Config = Type.Unsafe<DatabaseConfig>(Type.Object({}))

/** What a change replaced: kept until the change has come true, so that it can be undone. */
export const PreviousDatabase = Type.Object({
  config: Config,
  extraPasswords: Type.Array(Type.String()),
  endpointPort: Type.Integer(),
  innerPort: Type.Union([Type.Integer(), Type.Null()]),
  flushes: Type.Integer(),
  isTrafficStopped: Type.Optional(Type.Boolean()),
  engine: Engine,
  shards: Type.Array(ShardPlace),
})

export const DatabaseDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  /** Grows with every change that concerns a process. */
  generation: Type.Integer({ minimum: 1 }),
  /** Grows with every change that people see: the ETag of the API. */
  edition: Type.Integer({ minimum: 1 }),
  createdAt: Type.String(),
  changedAt: Type.String(),
  config: Config,
  /** Passwords of the default user beside `authentication_redis_pass`, oldest first. */
  extraPasswords: Type.Array(Type.String()),
  /** The port that applications connect to; `config.port` is 0 when it was chosen for them. */
  endpointPort: Type.Integer({ minimum: 1, maximum: 65535 }),
  /** Where the primary of an unsharded database is reached by others than applications; null: nobody has to. */
  innerPort: Type.Union([Type.Integer({ minimum: 1, maximum: 65535 }), Type.Null()]),
  engine: Engine,
  shards: Type.Array(ShardPlace),
  /** Which of its alerts are on, in the API's field names; absent: nobody has chosen. */
  alerts: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  /** The flush that is to have happened: a number that the processes remember. */
  flushes: Type.Integer({ minimum: 0 }),
  /** The last number given to a flush; unlike `flushes` it never goes back, not even when a flush is undone. */
  lastFlush: Type.Integer({ minimum: 0 }),
  /**
   * Processes that are down and are to come back with nothing, because somebody asked for it. They remember `flush` as a
   * flush, so that it happens once. Absent: none.
   */
  startEmpty: Type.Optional(
    Type.Object({ flush: Type.Integer({ minimum: 1 }), shardUids: Type.Array(Type.Integer({ minimum: 1 })) }),
  ),
  /** Somebody stopped its traffic: no application is let in until it is resumed. Absent: nobody did. */
  isTrafficStopped: Type.Optional(Type.Boolean()),
  /** Uids of primaries that somebody asked to hand over to their replicas. */
  handOver: Type.Array(Type.Integer({ minimum: 1 })),
  /** They are to die instead, once their replicas have everything: a drill, with the outage that it may cost. */
  drillTargetMs: Type.Optional(Type.Integer({ minimum: 1 })),
  /** When one of its primaries is to die for a drill, and how long that may keep applications waiting. Absent: never. */
  drills: Type.Optional(Type.Object({ cron: Type.String(), targetMs: Type.Integer({ minimum: 1 }) })),
  /** The action that is under way; null when the document is settled. */
  actionUid: Type.Union([Type.String(), Type.Null()]),
  previous: Type.Union([PreviousDatabase, Type.Null()]),
  /** Set when the database is to go. Once `purging` is true its data may be gone: there is no way back. */
  deletion: Type.Union([Type.Object({ purging: Type.Boolean() }), Type.Null()]),
})
export type DatabaseDocument = Static<typeof DatabaseDocument>
