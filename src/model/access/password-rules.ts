/**
 * What the cluster can ask of the passwords of its users. Pure.
 */
export type PasswordPolicy = { readonly complexity: boolean; readonly minLength: number }

/** As long as anybody may want. */
export const PASSWORD_MAX = 512
const SAME_IN_A_ROW = 3

/** What is wrong with the password, as the end of a sentence that begins with "The password"; null: nothing. */
export function passwordProblem(password: string, email: string, policy: PasswordPolicy): string | null {
  if (password === '') return 'must not be empty'
  if ([...password].length > PASSWORD_MAX) return `may have ${PASSWORD_MAX} characters at most`
  if (!policy.complexity) return null
  if ([...password].length < policy.minLength) return `needs ${policy.minLength} characters or more`
  if (!/\p{Lu}/u.test(password)) return 'needs an upper-case letter'
  if (!/\p{Ll}/u.test(password)) return 'needs a lower-case letter'
  if (!/\p{Nd}/u.test(password)) return 'needs a digit'
  if (!/[^\p{L}\p{Nd}]/u.test(password)) return 'needs a special character'
  const lower = password.toLowerCase()
  const name = email.toLowerCase()
  if (name !== '' && (lower.includes(name) || lower.includes([...name].reverse().join(''))))
    return 'must not hold the e-mail address, nor its reverse'
  if (new RegExp(`(.)\\1{${SAME_IN_A_ROW},}`, 'su').test(password))
    return `must not have the same character more than ${SAME_IN_A_ROW} times in a row`
  return null
}
