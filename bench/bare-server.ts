/**
 * The least that can answer over TLS with node:https: the yardstick for our own server. Reads what to serve from its
 * standard input and writes its port.
 */
import { createServer } from 'node:https'
import { json } from 'node:stream/consumers'

/** `head`: names and values in turns. */
type Wanted = { key: string; cert: string; head: string[]; body: string }

const wanted: unknown = await json(process.stdin)
if (!isWanted(wanted)) throw new Error('nothing to serve')
const body = Buffer.from(wanted.body)
const { head } = wanted
const server = createServer({ key: wanted.key, cert: wanted.cert }, (_request, response) => {
  response.writeHead(200, head)
  response.end(body)
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.stdout.write(String(typeof address === 'object' ? address?.port : ''))
})

function isWanted(value: unknown): value is Wanted {
  return (
    typeof value === 'object' &&
    value !== null &&
    'key' in value &&
    'cert' in value &&
    'head' in value &&
    'body' in value
  )
}
