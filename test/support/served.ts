/**
 * The real listener with the real table of routes, in this process and on a store in memory: for tests that need other
 * limits than those of `npm start`, or look inside. No agent, and so no database.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { History } from '#observe/history.ts'
import { Recorder } from '#observe/recorder.ts'
import { Bootstrap } from '#server/bootstrap/bootstrap.ts'
import { selfSignedCertificate } from '#server/certificates/self-signed.ts'
import { RenderedDatabases } from '#server/databases/rendered.ts'
import { LiveSurroundings } from '#server/databases/surroundings.ts'
import { EventLog } from '#server/events/event-log.ts'
import { LineFiles } from '#server/events/line-files.ts'
import { Listener, type ListenerLimits } from '#server/http/listener.ts'
import { OcspWatch } from '#server/ocsp/watch.ts'
import type { Parts } from '#server/parts.ts'
import { ROUTES } from '#server/routes.ts'
import { ServiceDesk } from '#server/services/desk.ts'
import { SsoDesk } from '#server/sso/desk.ts'
import { Turn } from '#server/turn.ts'
import { Credentials } from '#server/users/credentials.ts'
import type { LineLimits } from '#server/users/fair-line.ts'
import { Tokens } from '#server/users/tokens.ts'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import { ApiClient } from './api.ts'
import { type CleanUps, PASSWORD, USER } from './instance.ts'
import { freePort } from './ports.ts'

/** Generous where a test is not about them. */
const LIMITS: ListenerLimits = {
  requestMs: 30_000,
  headersMs: 30_000,
  handshakeMs: 30_000,
  keepAliveMs: 30_000,
  lookEveryMs: 20,
  connections: 1_000,
  connectionsEach: 1_000,
}

export type Served = { readonly port: number; readonly api: ApiClient; readonly parts: Parts; readonly state: State }

/** `line`: how many passwords are checked at once, and wait for it. */
export async function serve(
  t: CleanUps,
  limits: Partial<ListenerLimits> = {},
  line: LineLimits = { atOnce: 2, waiting: 100 },
): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-served-'))
  const onTrouble = () => undefined
  const now = () => Date.now()
  const state = new State({ store: new MemoryStore(), sealer: new Sealer([randomBytes(32)]), onTrouble })
  await state.view.start()
  const quiet = { warn: () => undefined }
  const log = { debug: onTrouble, info: onTrouble, warn: onTrouble, error: onTrouble }
  const events = new EventLog({
    files: new LineFiles({ folder, name: 'audit', fileBytes: 1_000_000, files: 2 }),
    now,
    onTrouble,
  })
  const bootstrap = new Bootstrap({ state, nodeUid: 1, now, folderId: 'served', onCreated: async () => undefined })
  const port = await freePort()
  const parts: Parts = {
    state,
    agents: new Map(),
    nodeUid: 1,
    around: new LiveSurroundings(state, '127.0.0.1'),
    databasePorts: { first: 1, last: 1 },
    shardPorts: { first: 2, last: 2 },
    apiPort: port,
    discoveryPort: null,
    metricsPort: null,
    softwareVersion: 'test',
    credentials: new Credentials({ state, tokens: new Tokens(randomBytes(32)), now, onTrouble, line }),
    bootstrap,
    bootstrapDefaults: { clusterName: 'served.local', address: '127.0.0.1' },
    databases: new RenderedDatabases(state),
    allocation: new Turn(),
    notifier: {
      statusOf: () => ({ lastSuccessAtMs: null, lastError: null, failures: 0, toldCount: 0 }),
      tryWebhook: async () => null,
      tryMail: async () => null,
    },
    alerts: {
      state: () => ({ isOn: false, changedAtMs: null, value: {} }),
      raised: () => [],
      onChange: () => undefined,
    },
    events,
    ocsp: new OcspWatch({ state, now, log, events }),
    statistics: new Recorder({ history: new History({ folder: join(folder, 'statistics'), log: quiet }), now }),
    sso: new SsoDesk({ key: randomBytes(32), now, log }),
    services: new ServiceDesk(),
    now,
    log,
  }
  const certificate = await selfSignedCertificate(['served.local', '127.0.0.1'], now())
  const listener = new Listener(parts, ROUTES, certificate, { ...LIMITS, ...limits })
  await bootstrap.createCluster({
    name: 'served.local',
    userName: USER,
    password: PASSWORD,
    address: '127.0.0.1',
    nodeSettings: {},
    policy: {},
  })
  await listener.listen('127.0.0.1', port)
  const api = new ApiClient(port, `${USER}:${PASSWORD}`)
  t.after(async () => {
    api.close()
    await listener.close()
    events.close()
    state.view.close()
    await rm(folder, { recursive: true, force: true })
  })
  return { port, api, parts, state }
}
