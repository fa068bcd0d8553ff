/**
 * What people asked for first, as written in the reference's quick start: curl, Python requests and Node's fetch list
 * the databases and rename all of them.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import { PASSWORD, USER } from './support/instance.ts'
import { withInstance } from './support/suite.ts'

const run = promisify(execFile)
const HEADERS = [
  'server',
  'date',
  'content-type',
  'content-length',
  'cluster-state-id',
  'x-envoy-upstream-service-time',
] as const

withInstance('the quick start', {}, (it) => {
  before(async () => {
    await it().create({ name: 'tr01' })
    await it().create({ name: 'tr02' })
  })

  test('curl lists the databases, with the headers that it shows', async () => {
    const { stdout } = await curl('-X', 'GET', '-H', 'accept: application/json', '/v1/bdbs')
    const { statusLine, headers, body } = parseHttp(stdout)
    assert.equal(statusLine, 'HTTP/1.1 200 OK')
    for (const name of HEADERS) assert.ok(headers.has(name), `the header ${name} is missing`)
    assert.equal(headers.get('content-type'), 'application/json')
    assert.equal(Number(headers.get('content-length')), Buffer.byteLength(body))
    const [first] = JSON.parse(body)
    assert.equal(first.name, 'tr01')
    assert.equal(first.uid, 1)
    assert.match(first.version, /^\d+\.\d+\.\d+$/)
    assert.equal(first.wait_command, true)
  })

  test('curl renames a database, and the cluster-state-id grows', async () => {
    const before = await it().api.get('/v1/bdbs/1')
    const { stdout } = await curl(
      ...['-X', 'PUT', '-H', 'accept: application/json', '-H', 'content-type: application/json'],
      ...['-d', '{ "name": "database1" }', '/v1/bdbs/1'],
    )
    const { statusLine, headers, body } = parseHttp(stdout)
    assert.equal(statusLine, 'HTTP/1.1 200 OK')
    const { name, uid, wait_command } = JSON.parse(body)
    assert.deepEqual({ name, uid, wait_command }, { name: 'database1', uid: 1, wait_command: true })
    assert.ok(Number(headers.get('cluster-state-id')) > Number(before.headers['cluster-state-id']))
    assert.equal((await it().api.get('/v1/bdbs/1')).json.name, 'database1')
  })

  test('Python requests renames them all', async () => {
    const program = `
import json, requests, sys, warnings
warnings.simplefilter("ignore")
base = "https://127.0.0.1:{}/v1/bdbs".format(sys.argv[1])
who = (sys.argv[2], sys.argv[3])
listed = requests.get(base, auth=who, headers={"accept": "application/json"}, verify=False)
assert (listed.status_code, listed.reason) == (200, "OK"), listed.text
for bdb in listed.json():
    put = requests.put("{}/{}".format(base, bdb["uid"]), data=json.dumps({"name": "python{}".format(bdb["uid"])}),
        auth=who, headers={"content-type": "application/json"}, verify=False)
    assert (put.status_code, put.reason) == (200, "OK"), put.text
    assert "cluster-state-id" in put.headers
    print(put.json()["name"])
`
    const { stdout } = await run('python3', ['-c', program, String(it().ports.api), USER, PASSWORD])
    assert.equal(stdout, 'python1\npython2\n')
  })

  test('fetch of Node renames them all', async () => {
    const program = `
const [port, user, password] = process.argv.slice(1)
const uri = 'https://127.0.0.1:' + port + '/v1/bdbs'
const authorization = 'Basic ' + Buffer.from(user + ':' + password).toString('base64')
const listed = await fetch(uri, { headers: { Accept: 'application/json', Authorization: authorization } })
if (listed.status !== 200 || listed.statusText !== 'OK') throw new Error(await listed.text())
for (const { uid } of await listed.json()) {
  const put = await fetch(uri + '/' + uid, {
    method: 'PUT',
    headers: { Authorization: authorization, 'Content-Type': 'application/json' },
    body: JSON.stringify({ name: 'node' + uid }),
  })
  console.log(put.status, put.statusText, (await put.json()).name)
}
`
    const env = { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' }
    const args = ['--input-type=module', '-e', program, String(it().ports.api), USER, PASSWORD]
    const { stdout } = await run(process.execPath, args, { env })
    assert.equal(stdout, '200 OK node1\n200 OK node2\n')
  })

  test('the certificate names this machine, so that a client can verify it', async () => {
    const ca = `${it().dataDir}/tls/api.crt`
    const url = `https://localhost:${it().ports.api}/v1/bdbs`
    const { stdout } = await run('curl', ['-sS', '--cacert', ca, '-u', `${USER}:${PASSWORD}`, url])
    assert.equal(JSON.parse(stdout).length, 2)
  })

  function curl(...args: string[]): Promise<{ stdout: string }> {
    const path = args.pop()
    const url = `https://127.0.0.1:${it().ports.api}${path}`
    return run('curl', ['-sS', '-k', '-i', '-u', `${USER}:${PASSWORD}`, ...args, url])
  }
})

function parseHttp(text: string): { statusLine: string; headers: Map<string, string>; body: string } {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  const [statusLine = '', ...lines] = head.split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { statusLine, headers, body: rest.join('\r\n\r\n') }
}
