/**
 * The labels of a line, as text. Callers: what tells of an object, once for all its lines.
 */
export type Labels = Readonly<Record<string, string | number | undefined>>

/** `{cluster="a",db="1"}`; a label that is undefined is left out. */
export function labelsOf(labels: Labels): string {
  let text = ''
  for (const name in labels) {
    const value = labels[name]
    if (value === undefined) continue
    text += `${text === '' ? '{' : ','}${name}="${typeof value === 'number' ? value : escaped(value)}"`
  }
  return text === '' ? '' : `${text}}`
}

/** What is told of one of several things of an object: `labels`, which has at least one, and more. */
export function withLabels(labels: string, more: Labels): string {
  const added = labelsOf(more)
  return added === '' ? labels : `${labels.slice(0, -1)},${added.slice(1)}`
}

const TO_ESCAPE = /[\\"\n]/

function escaped(text: string): string {
  if (!TO_ESCAPE.test(text)) return text
  return text.replace(/[\\"\n]/g, (found) => (found === '\n' ? '\\n' : `\\${found}`))
}
