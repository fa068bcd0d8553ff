/**
 * All documents of a cluster, typed: which collections there are, under which keys, and how each is written down.
 * Everything that reads or changes state goes through here.
 */
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/schema'
import { AlertsDocument } from '#model/alerts/document.ts'
import { ReceiverDocument } from '#model/alerts/telling.ts'
import { WebhookDocument } from '#model/alerts/webhook.ts'
import { databaseDefaults, secretDatabaseFields } from '#model/database/schema.ts'
import {
  LdapDocument,
  LdapMappingDocument,
  LoginDocument,
  RedisAclDocument,
  RoleDocument,
  UserDocument,
} from '#model/documents/access.ts'
import { ActionDocument } from '#model/documents/action.ts'
import { CertificateDocument } from '#model/documents/certificate.ts'
import {
  ClusterDocument,
  CountersDocument,
  IdempotencyDocument,
  MailSecretDocument,
  NOTHING_GIVEN,
  NodeDocument,
} from '#model/documents/cluster.ts'
import { DatabaseDocument } from '#model/documents/database.ts'
import { OcspDocument, OcspStatusDocument } from '#model/documents/ocsp.ts'
import { SsoDocument, SsoLoginDocument } from '#model/documents/sso.ts'
import { StatusDocument } from '#model/documents/status.ts'
import { type Codec, Collection, type Mirrored } from './collection.ts'
import type { Store } from './contract.ts'
import type { Sealer } from './sealing.ts'
import { View } from './view.ts'

export class State {
  readonly databases: Collection<DatabaseDocument>
  readonly statuses = new Collection('statuses/', documentCodec(StatusDocument))
  readonly actions = new Collection('actions/', documentCodec(ActionDocument))
  readonly nodes = new Collection('nodes/', documentCodec(NodeDocument))
  readonly users: Collection<UserDocument>
  readonly logins = new Collection('logins/', documentCodec(LoginDocument))
  readonly roles = new Collection('roles/', documentCodec(RoleDocument))
  readonly redisAcls = new Collection('redis-acls/', documentCodec(RedisAclDocument))
  /** By name, and `database-<uid>`. */
  readonly certificates: Collection<CertificateDocument>
  readonly ldapMappings = new Collection('ldap-mappings/', documentCodec(LdapMappingDocument))
  /** By what they are about: `cluster`, `node:1`, `bdb:7`. */
  readonly alerts = new Collection('alerts/', documentCodec(AlertsDocument))
  readonly webhooks: Collection<WebhookDocument>
  /** What those who are told of alerts know. */
  readonly receivers = new Collection('receivers/', documentCodec(ReceiverDocument))
  /** By the hash of the issuer and the id of the assertion that let somebody in. */
  readonly ssoLogins = new Collection('sso-logins/', documentCodec(SsoLoginDocument))
  readonly idempotency = new Collection('idempotency/', documentCodec(IdempotencyDocument))
  /** These have one document each, with the id ''. */
  readonly ldap: Collection<LdapDocument>
  readonly ocsp = new Collection('ocsp-settings', documentCodec(OcspDocument))
  readonly ocspStatus = new Collection('ocsp-status', documentCodec(OcspStatusDocument))
  readonly mailSecret: Collection<MailSecretDocument>
  readonly sso = new Collection('sso-settings', documentCodec(SsoDocument))
  readonly cluster = new Collection('cluster', documentCodec(ClusterDocument))
  readonly counters = new Collection('counters', countersCodec())
  readonly view: View
  readonly #collections: readonly Mirrored[]

  constructor(options: { store: Store; sealer: Sealer; onTrouble: (message: string, error: unknown) => void }) {
    this.databases = new Collection('databases/', databaseCodec(options.sealer))
    this.users = new Collection('users/', sealedCodec(UserDocument, ['passwords'], options.sealer))
    this.certificates = new Collection('certificates/', sealedCodec(CertificateDocument, ['key'], options.sealer))
    this.ldap = new Collection('directory', sealedCodec(LdapDocument, ['bindPassword'], options.sealer))
    this.webhooks = new Collection('webhooks/', sealedCodec(WebhookDocument, ['url', 'secret'], options.sealer))
    this.mailSecret = new Collection('mail-secret', sealedCodec(MailSecretDocument, ['password'], options.sealer))
    this.#collections = [
      this.databases,
      this.statuses,
      this.actions,
      this.nodes,
      this.users,
      this.logins,
      this.roles,
      this.redisAcls,
      this.certificates,
      this.ldapMappings,
      this.ldap,
      this.alerts,
      this.ocsp,
      this.ocspStatus,
      this.webhooks,
      this.receivers,
      this.mailSecret,
      this.sso,
      this.ssoLogins,
      this.idempotency,
      this.cluster,
      this.counters,
    ]
    checkPrefixes(this.#collections)
    this.view = new View({ store: options.store, collections: this.#collections, onTrouble: options.onTrouble })
  }

  /** Every text that is sealed at rest, in the clear: for looking whether one has got somewhere. */
  *secrets(): Generator<string> {
    for (const collection of this.#collections) yield* collection.secrets()
  }
}

/** A key would be taken for one of another collection if that began with the same characters. */
export function checkPrefixes(collections: readonly Pick<Mirrored, 'prefix'>[]): void {
  for (const one of collections)
    for (const other of collections)
      if (other !== one && other.prefix.startsWith(one.prefix))
        throw new Error(`the keys of ${other.prefix} begin with those of ${one.prefix}`)
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

/** What a later version counts begins at 0. */
function countersCodec(): Codec<CountersDocument> {
  const plain = documentCodec(CountersDocument)
  return { ...plain, decode: (text) => plain.decode(JSON.stringify({ ...NOTHING_GIVEN, ...JSON.parse(text) })) }
}

/** The named fields are sealed, all in one text; the rest stays readable. */
function sealedCodec<T extends TSchema>(schema: T, names: readonly string[], sealer: Sealer): Codec<Static<T>> {
  const plain = documentCodec(schema)
  const outer = documentCodec(Type.Object({ secrets: Type.String() }))
  return {
    encode: (document) => {
      const checked: unknown = JSON.parse(plain.encode(document))
      const secrets = sealer.seal(JSON.stringify(only(Object(checked), (name) => names.includes(name))))
      return outer.encode({ ...only(Object(checked), (name) => !names.includes(name)), secrets })
    },
    decode: (text) => {
      const { secrets, ...rest } = outer.decode(text)
      return plain.decode(JSON.stringify({ ...rest, ...JSON.parse(sealer.open(secrets)) }))
    },
    secretsOf: (document) => only(Object(document), (name) => names.includes(name)),
  }
}

/** What of a database must not be readable in the store. */
type Secrets = { readonly config: object; readonly extraPasswords: readonly string[] }
type SealedText = { readonly secrets: string }

/**
 * Databases hold secrets: those fields are sealed, all in one text, so that the rest stays readable to an operator who
 * has to look into the store. Fields that a later version adds get their defaults when an older document is read.
 */
function databaseCodec(sealer: Sealer): Codec<DatabaseDocument> {
  const plain = documentCodec(Type.Intersect([DatabaseDocument, Type.Object({ secrets: Type.String() })]))
  return {
    encode: (document) => {
      const parts = document.previous ? [document, document.previous] : [document]
      const stored: DatabaseDocument & SealedText = {
        ...withoutSecrets(document),
        previous: document.previous && withoutSecrets(document.previous),
        secrets: sealer.seal(JSON.stringify(parts.map(secretsOf))),
      }
      return plain.encode(stored)
    },
    decode: (text) => {
      const { secrets, ...document } = plain.decode(text)
      const [own, previous]: Secrets[] = JSON.parse(sealer.open(secrets))
      return {
        ...withSecrets(document, own),
        previous: document.previous && withSecrets(document.previous, previous),
      }
    },
    secretsOf: (document) => [secretsOf(document), document.previous && secretsOf(document.previous)],
  }
}

type Part = Pick<DatabaseDocument, 'config' | 'extraPasswords'>

function secretsOf({ config, extraPasswords }: Part): Secrets {
  return { config: only(config, (name) => secretDatabaseFields.has(name)), extraPasswords }
}

function withoutSecrets<T extends Part>(part: T): T {
  return { ...part, config: only(part.config, (name) => !secretDatabaseFields.has(name)), extraPasswords: [] }
}

function withSecrets<T extends Part>(part: T, secrets: Secrets | undefined): T {
  if (!secrets) throw new Error('the secrets of a database are missing')
  const config = { ...databaseDefaults(), ...part.config, ...secrets.config }
  return { ...part, config, extraPasswords: [...secrets.extraPasswords] }
}

function only(object: object, isWanted: (name: string) => boolean): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => isWanted(name)))
}
