/**
 * Metrics as Prometheus reads them: asks an instance's exporter, and takes nothing that Prometheus would not.
 */
import assert from 'node:assert/strict'
import { request } from 'node:https'
import type { Instance } from './instance.ts'

type Line = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }
export type Scrape = { readonly lines: readonly Line[]; readonly types: ReadonlyMap<string, string> }

export type Answer = { readonly status: number; readonly body: Buffer; readonly headers: Record<string, unknown> }

export function scraperOf(it: () => Instance) {
  const ask = (path: string, headers: Record<string, string> = {}) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: it().ports.metrics, path, headers, agent: false, rejectUnauthorized: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), headers: response.headers }),
          )
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  const scrape = async (path: string): Promise<Scrape> => {
    const { status, body } = await ask(path)
    assert.equal(status, 200, String(body))
    return parse(String(body))
  }
  return { ask, scrape }
}

/** Of the first line that has these labels; undefined: there is none. */
export function valueIn({ lines }: Scrape, name: string, labels: Record<string, string> = {}): number | undefined {
  return lines.find(
    (line) => line.name === name && Object.entries(labels).every(([key, text]) => line.labels[key] === text),
  )?.value
}

/** Throws for what Prometheus would not take. */
function parse(text: string): Scrape {
  const types = new Map<string, string>()
  const lines: Line[] = []
  let current = ''
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line) ?? []
    if (typed && type) {
      assert.ok(!types.has(typed), `${typed} is there twice`)
      types.set(typed, type)
      current = typed
      continue
    }
    const [, name = '', , inner = '', number = ''] =
      /^([a-zA-Z_:][\w:]*)(\{(.*)\})? (-?[\d.e+-]+|[+-]Inf)$/.exec(line) ?? assert.fail(`no such line: ${line}`)
    assert.equal(family(name, types), current, `${name} stands apart from its kind`)
    const labels = Object.fromEntries(
      [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', of = '']) => [key, of]),
    )
    assert.ok(!name.endsWith('_sum') || /\d/.test(number), `a sum without end: ${line}`)
    lines.push({ name, labels, value: Number(number) })
  }
  const keys = lines.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`)
  assert.equal(new Set(keys).size, keys.length, 'a line is there twice')
  return { lines, types }
}

export function family(name: string, types: ReadonlyMap<string, string>): string {
  const whole = name.replace(/_(bucket|sum|count)$/, '')
  return types.get(whole) === 'histogram' ? whole : name
}
