/**
 * What a route is: one row of the table that the server, the permission check and the OpenAPI document are made from.
 * A route names its permission where it is declared; one without does not type-check.
 */
import type { Readable } from 'node:stream'
import type { TSchema } from 'typebox'
import type { Permission } from '#model/permissions.ts'
import type { RefusalCode } from '../errors.ts'
import type { Parts } from '../parts.ts'
import type { Identity } from '../users/identity.ts'

export type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'

/** Who may call: a permission that the user's role must have, or one of the openings that need none. */
export type Access =
  | Permission
  /** Anybody, at any time. */
  | 'open'
  /** Anybody until the cluster exists; afterwards any user of it. */
  | 'open-until-bootstrapped'
  /** Any user. */
  | 'signed-in'
  /** Any user, also one whose password has expired. */
  | 'own-password'

export type Caller = Identity

export type ApiRequest = {
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** Parsed JSON, or the fields of a form; undefined when the request had no body. */
  readonly body: unknown
  readonly header: (name: string) => string | undefined
  /** Undefined when the caller has gone. */
  readonly remoteAddress: string | undefined
  /** Undefined where the route is open. */
  readonly caller: Caller | undefined
}

/** What goes back: JSON text ready to send, or a value to be written as JSON; null is the documented empty body. */
export type JsonAnswer = {
  readonly json: Buffer | string | object | null
  readonly headers?: Readonly<Record<string, string>>
  /** Who it turned out to be, where the route is open. */
  readonly caller?: Caller
}

/** A file, sent as it is made. When making it fails in the middle, the connection breaks: nobody takes half for all. */
export type FileAnswer = {
  readonly file: Readable
  /** Null: it is shown, not saved. */
  readonly name: string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** Where the caller's browser goes on. */
export type RedirectAnswer = { readonly redirect: string }

export type Answer = JsonAnswer | FileAnswer | RedirectAnswer

export type QueryParameter = { readonly name: string; readonly description: string; readonly schema: TSchema }

export type Route = {
  readonly method: Method
  /** With parameters in braces, as the reference writes them: `/v1/bdbs/{uid}`. */
  readonly path: string
  readonly access: Access
  readonly summary: string
  readonly query?: readonly QueryParameter[]
  readonly body?: TSchema
  /** The body is no JSON but a form, as browsers send it. */
  readonly isForm?: true
  /** The answer is the same for any body, of any kind: it is not read. */
  readonly ignoresBody?: true
  /** What a 200 holds; absent when its body is empty, or a file. */
  readonly answers?: TSchema
  /** The media type of the file that a 200 holds. */
  readonly file?: string
  /** What the browser is sent to instead of a 200, for people. */
  readonly redirects?: string
  /** The codes that this route refuses with, beside those that every route may. */
  readonly refusals: readonly RefusalCode[]
  /** Answers also while the node has no cluster. */
  readonly beforeBootstrap?: boolean
  readonly handle: (request: ApiRequest, parts: Parts) => Answer | Promise<Answer>
}

/** The parameter of a path that is the uid of a database; undefined: it is not about one. */
export function databaseParameter(path: string): string | undefined {
  return /\/(?:bdbs?|db)\/(?:\w+\/)*\{(\w+)\}/.exec(path)?.[1]
}
