/**
 * The passwords of a database's default user: several at a time, so that they can be rotated while applications keep
 * working. POST adds one, PUT makes it the only one, DELETE removes one.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { type DatabaseEdit, unedited } from '#plan/change.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeDatabase } from './change.ts'
import { answerDatabase } from './read.ts'

/** The engine hashes each of them at every AUTH: enough for any rotation, too few to slow AUTH down. */
const MOST_PASSWORDS = 32
/** As long as anybody may want; the bound keeps documents small. */
const LONGEST_PASSWORD = 512

export function addPassword(request: ApiRequest, parts: Parts): Promise<Answer> {
  return change(request, parts, (passwords, password) => {
    if (passwords.includes(password)) return passwords
    if (passwords.length >= MOST_PASSWORDS) {
      const description = `A database can have ${MOST_PASSWORDS} passwords; remove one first.`
      refuse('invalid_password', { field: 'password', description })
    }
    return [...passwords, password]
  })
}

export function setPassword(request: ApiRequest, parts: Parts): Promise<Answer> {
  return change(request, parts, (_passwords, password) => [password])
}

export function removePassword(request: ApiRequest, parts: Parts): Promise<Answer> {
  return change(request, parts, (passwords, password) => {
    const rest = passwords.filter((known) => known !== password)
    if (rest.length === passwords.length) refuse('password_not_exist', { field: 'password' })
    if (rest.length === 0) {
      const description =
        'This is the only password: without it the database would be open to everybody. Add another one first, ' +
        'or PUT the database with authentication_redis_pass "" if that is what you want.'
      refuse('invalid_password', { field: 'password', description })
    }
    return rest
  })
}

async function change(
  request: ApiRequest,
  parts: Parts,
  edit: (passwords: readonly string[], password: string) => readonly string[],
): Promise<Answer> {
  const password = passwordOf(request)
  const { after } = await changeDatabase(request, parts, { dryRun: false }, (database) =>
    withPasswords(database, edit(passwordsOf(database), password)),
  )
  return answerDatabase(request, parts, after.uid)
}

/** Oldest first; none means that the database is open. */
export function passwordsOf({ config, extraPasswords }: DatabaseDocument): string[] {
  return [config.authentication_redis_pass, ...extraPasswords].filter((password) => password !== '')
}

/** The oldest password is the one that `authentication_redis_pass` shows. */
function withPasswords(database: DatabaseDocument, passwords: readonly string[]): DatabaseEdit {
  const [first = '', ...extraPasswords] = passwords
  const config = { ...database.config, authentication_redis_pass: first }
  return { ...unedited(database), config, extraPasswords }
}

function passwordOf(request: ApiRequest): string {
  const { password, ...rest } = objectBody(request.body)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) {
    const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here; password is.`
    refuse('unknown_field', { field: unknown, description })
  }
  if (typeof password === 'string' && password !== '' && password.length <= LONGEST_PASSWORD) return password
  const description = `The password must be a string of 1 to ${LONGEST_PASSWORD} characters.`
  return refuse(password === undefined ? 'missing_field' : 'invalid_password', { field: 'password', description })
}
