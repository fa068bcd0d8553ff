/**
 * Accounts of an engine, in the words of ACL SETUSER and as lines of its ACL file. Callers: the agent. Pure.
 *
 * The ACL file knows no quoting, so nothing that could be read as a second word or line may get in: names and rules are
 * checked here, and passwords exist only as SHA-256. Rules that would change who may log in (passwords, on, off,
 * nopass, reset) are refused as rules: they have their own fields.
 */

export type Account = {
  readonly name: string
  readonly enabled: boolean
  /** Lower-case hex SHA-256; null: any password will do; empty: none will. */
  readonly passwordHashes: readonly string[] | null
  readonly rules: readonly string[]
}

export class AccountRefused extends Error {
  override name = 'AccountRefused'
}

/** The words after `ACL SETUSER name`: the account as a whole, from nothing. */
export function accountRules(account: Account): string[] {
  checkAccount(account)
  const passwords = account.passwordHashes?.map((hash) => `#${hash}`) ?? ['nopass']
  return ['reset', account.enabled ? 'on' : 'off', ...passwords, ...account.rules]
}

export function renderAccounts(accounts: readonly Account[]): string {
  const names = new Set(accounts.map((account) => account.name))
  if (names.size !== accounts.length) throw new AccountRefused('two accounts have the same name')
  // `reset` is left out of the file: every line begins with a new account there.
  return accounts.map((account) => `user ${[account.name, ...accountRules(account).slice(1)].join(' ')}\n`).join('')
}

function checkAccount({ name, passwordHashes, rules }: Account): void {
  // The engine's own rule is no space and no zero byte; its file reader adds all white space, its lists the comma.
  if (!/^[^\s\p{Cc}]{1,128}$/u.test(name))
    throw new AccountRefused(`not a name for an account: ${JSON.stringify(name)}`)
  for (const hash of passwordHashes ?? []) {
    if (!/^[0-9a-f]{64}$/.test(hash)) throw new AccountRefused(`a password of ${name} is not a SHA-256 in hex`)
  }
  for (const rule of rules) {
    if (!isRule(rule)) throw new AccountRefused(`not an ACL rule for ${name}: ${JSON.stringify(rule)}`)
  }
}

function isRule(rule: string): boolean {
  if (/^\(.*\)$/s.test(rule))
    return rule
      .slice(1, -1)
      .split(' ')
      .every((part) => part === '' || isPlainRule(part))
  return isPlainRule(rule)
}

function isPlainRule(rule: string): boolean {
  return /^([+-]@?|~|&|%[RW]{1,2}~)[^\s\p{Cc}()]*$|^(all|no)(keys|channels|commands)$|^reset(keys|channels)$|^clearselectors$/iu.test(
    rule,
  )
}
