/**
 * Where records of what is audited are sent: the reference's db_conns_auditing_config. Open engines cannot tell anybody of
 * connections, so what is sent is the control plane's own audit trail, and databases refuse to be audited.
 */
import { isIP } from 'node:net'
import Type, { type Static } from 'typebox'
import { Compile } from 'typebox/schema'
import { applied } from './field.ts'
import { compileObject, defaultsOf, type ObjectParser, type Parsed } from './parse.ts'
import type { Problem } from './problem.ts'
import { maybeOneOf, maybeText, objectOf, whole } from './shapes.ts'

const PORT_MAX = 65_535
const DAY_SECONDS = 86_400
const QUEUE_BYTES = 524_288
/** What somebody may make us hold for a listener that does not listen. */
const QUEUE_BYTES_MAX = 16_777_216

const WHEN_SET = { 'x-shown': 'when-set' } as const

const fields = {
  audit_protocol: applied(
    maybeOneOf(
      ['TCP', 'local'],
      'How the listener for the events of the control plane is reached; connections of databases are not audited.',
    ),
    WHEN_SET,
  ),
  audit_address: applied(maybeText('Its host name or address; with local, the path of its stream socket.'), WHEN_SET),
  audit_port: applied(
    Type.Integer({ minimum: 1, maximum: PORT_MAX, description: 'Its port; not with local.' }),
    WHEN_SET,
  ),
  audit_reconnect_interval: applied(
    whole(1, 'Seconds between attempts to reach it.', { minimum: 1, maximum: DAY_SECONDS }),
  ),
  audit_reconnect_max_attempts: applied(whole(0, 'Attempts until it is given up; 0: never.')),
  audit_queue_max_bytes: applied(
    whole(QUEUE_BYTES, 'What may wait for it; beyond that, events are not sent.', { maximum: QUEUE_BYTES_MAX }),
  ),
}

export const AuditingObject = objectOf('db_conns_auditing_config', fields)

/** Whole and right: what is kept. */
export const AuditingConfig = Type.Object({
  audit_protocol: Type.Enum(['TCP', 'local']),
  audit_address: Type.String(),
  audit_port: Type.Optional(Type.Integer()),
  audit_reconnect_interval: Type.Integer(),
  audit_reconnect_max_attempts: Type.Integer(),
  audit_queue_max_bytes: Type.Integer(),
})
export type AuditingConfig = Static<typeof AuditingConfig>

const isWhole = Compile(AuditingConfig)

const parser = compileObject(AuditingObject)

export function auditingParser(): ObjectParser {
  return parser
}

/** What was given so far, with defaults for what was not; or what does not fit together. */
export function wholeAuditing(given: Readonly<Record<string, unknown>>): Parsed<AuditingConfig> {
  const config = { ...defaultsOf(AuditingObject), ...given }
  const problem = problemOf(config)
  if (problem) return { ok: false, problem }
  if (!isWhole.Check(config)) throw new Error('the fields of an auditing configuration were not parsed')
  return { ok: true, value: config }
}

function problemOf(config: Readonly<Record<string, unknown>>): Problem | null {
  const { audit_protocol: protocol, audit_address: address, audit_port: port } = config
  if (protocol === undefined) return missing('audit_protocol', 'TCP or local')
  if (typeof address !== 'string' || address === '') return missing('audit_address', 'the address of the listener')
  if (protocol === 'TCP') {
    if (port === undefined) return missing('audit_port', 'the port of the listener')
    return isHost(address) ? null : badAddress('With TCP, audit_address is a host name or an IP address.')
  }
  if (port !== undefined) {
    const description = 'A local socket has no port: leave audit_port out.'
    return { code: 'db_conns_auditing_bad_config', field: 'audit_port', description }
  }
  return isSocketPath(address) ? null : badAddress('With local, audit_address is the absolute path of a stream socket.')
}

function missing(field: string, what: string): Problem {
  return { code: 'db_conns_auditing_missing_config', field, description: `${field} is missing: ${what}.` }
}

function badAddress(description: string): Problem {
  return { code: 'db_conns_auditing_bad_address', field: 'audit_address', description }
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || (/^(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?$/i.test(text) && text.length <= 253)
}

/** The kernel takes paths of 107 bytes. */
function isSocketPath(text: string): boolean {
  return /^\/[^\p{Cc}]+$/u.test(text) && Buffer.byteLength(text) <= 107
}
