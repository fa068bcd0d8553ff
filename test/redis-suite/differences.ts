/**
 * Why a test of the suite fails against a database where a bare server passes it: what is meant to be so, in words.
 * Callers: the report. A failure that is not in here is shown with what the suite says of it.
 */
type Difference = { readonly tests: readonly string[]; readonly why: string }

const DIFFERENCES: readonly Difference[] = []

export function whyDifferent(test: string): string | undefined {
  return DIFFERENCES.find(({ tests }) => tests.includes(test))?.why
}
