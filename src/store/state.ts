/**
 * All documents of a cluster, typed: which collections there are, under which keys, and how each is written down.
 * Everything that reads or changes state goes through here.
 */
import type { Static, TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { databaseDefaults, secretDatabaseFields } from '#model/database/schema.ts'
import { ActionDocument } from '#model/documents/action.ts'
import {
  ClusterDocument,
  CountersDocument,
  IdempotencyDocument,
  NodeDocument,
  UserDocument,
} from '#model/documents/cluster.ts'
import { DatabaseDocument } from '#model/documents/database.ts'
import { StatusDocument } from '#model/documents/status.ts'
import { type Codec, Collection } from './collection.ts'
import type { Store } from './contract.ts'
import type { Sealer } from './sealing.ts'
import { View } from './view.ts'

export class State {
  readonly databases: Collection<DatabaseDocument>
  readonly statuses = new Collection('statuses/', documentCodec(StatusDocument))
  readonly actions = new Collection('actions/', documentCodec(ActionDocument))
  readonly nodes = new Collection('nodes/', documentCodec(NodeDocument))
  readonly users = new Collection('users/', documentCodec(UserDocument))
  readonly idempotency = new Collection('idempotency/', documentCodec(IdempotencyDocument))
  /** These two have one document each, with the id ''. */
  readonly cluster = new Collection('cluster', documentCodec(ClusterDocument))
  readonly counters = new Collection('counters', documentCodec(CountersDocument))
  readonly view: View

  constructor(options: { store: Store; sealer: Sealer; onTrouble: (message: string, error: unknown) => void }) {
    this.databases = new Collection('databases/', databaseCodec(options.sealer))
    const { databases, statuses, actions, nodes, users, idempotency, cluster, counters } = this
    const collections = [databases, statuses, actions, nodes, users, idempotency, cluster, counters]
    this.view = new View({ store: options.store, collections, onTrouble: options.onTrouble })
  }
}

/** JSON, checked against the schema both when written and when read back. */
function documentCodec<T extends TSchema>(schema: T): Codec<Static<T>> {
  const check = Compile(schema)
  const parse = (value: unknown): Static<T> => {
    if (check.Check(value)) return value
    const [, [first]] = check.Errors(value)
    throw new Error(`not such a document: ${first?.instancePath ?? ''} ${first?.message ?? ''}`)
  }
  return { encode: (value) => JSON.stringify(parse(value)), decode: (text) => parse(JSON.parse(text)) }
}

/**
 * Databases hold secrets: those fields are sealed one by one, so that the rest stays readable to an operator who has
 * to look into the store. Fields that a later version adds get their defaults when an older document is read.
 */
function databaseCodec(sealer: Sealer): Codec<DatabaseDocument> {
  const plain = documentCodec(DatabaseDocument)
  const sealConfig = (config: object) => mapSecrets(config, (value) => sealer.seal(JSON.stringify(value)))
  const openConfig = (config: object) => mapSecrets(config, (value) => JSON.parse(sealer.open(String(value))))
  return {
    encode: (document) => {
      const { previous } = document
      return JSON.stringify({
        ...document,
        config: sealConfig(document.config),
        extraPasswords: document.extraPasswords.map((password) => sealer.seal(password)),
        previous: previous && {
          ...previous,
          config: sealConfig(previous.config),
          extraPasswords: previous.extraPasswords.map((password) => sealer.seal(password)),
        },
      })
    },
    decode: (text) => {
      const document = plain.decode(text)
      const open = <T extends Pick<DatabaseDocument, 'config' | 'extraPasswords'>>(part: T): T => ({
        ...part,
        config: { ...databaseDefaults(), ...openConfig(part.config) },
        extraPasswords: part.extraPasswords.map((password) => sealer.open(password)),
      })
      return { ...open(document), previous: document.previous && open(document.previous) }
    },
  }
}

function mapSecrets(config: object, change: (value: unknown) => unknown): object {
  const entries = Object.entries(config)
  return Object.fromEntries(
    entries.map(([name, value]) => [name, secretDatabaseFields.has(name) ? change(value) : value]),
  )
}
