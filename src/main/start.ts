/**
 * The control plane of one node: reads the settings, makes the parts, connects them, starts them, and stops them in the
 * reverse order. Whatever is wrong with the settings, the ports or the folder is said in one line, with exit code 2,
 * before anything is touched. Stopping leaves every database running.
 */
import { createHmac } from 'node:crypto'
import { flushCompileCache } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { LocalAgent } from '#agent/local-agent.ts'
import { detectEngines } from '#engine/detect.ts'
import { ListenerLink } from '#server/auditing/listener-link.ts'
import { followAuditing } from '#server/auditing/routes.ts'
import { Bootstrap } from '#server/bootstrap/bootstrap.ts'
import { RenderedDatabases } from '#server/databases/rendered.ts'
import { LiveSurroundings } from '#server/databases/surroundings.ts'
import { DiagnosticLog } from '#server/diagnostics/diagnostic-log.ts'
import { DrillScheduler } from '#server/drills/scheduler.ts'
import { EventLog } from '#server/events/event-log.ts'
import { LineFiles } from '#server/events/line-files.ts'
import { followShards, followState } from '#server/events/observed.ts'
import { Listener } from '#server/http/listener.ts'
import { nodeChecksJob } from '#server/jobs/node-checks.ts'
import { JobScheduler } from '#server/jobs/scheduler.ts'
import { Directory } from '#server/ldap/directory.ts'
import { OcspWatch } from '#server/ocsp/watch.ts'
import type { Parts } from '#server/parts.ts'
import { Reconciler } from '#server/reconciler/reconciler.ts'
import { ROUTES } from '#server/routes.ts'
import { ServiceDesk } from '#server/services/desk.ts'
import { SsoDesk } from '#server/sso/desk.ts'
import { Turn } from '#server/turn.ts'
import { Credentials } from '#server/users/credentials.ts'
import { Rehashing } from '#server/users/rehashing.ts'
import { Tokens } from '#server/users/tokens.ts'
import type { Store } from '#store/contract.ts'
import { sealAnew } from '#store/resealing.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import { advertisedAddress, certificateNames } from './addresses.ts'
import { alertKeeper, notifications } from './alerts.ts'
import { banner } from './banner.ts'
import { NodeCertificates } from './certificates.ts'
import { type DataFolder, openDataFolder } from './data-folder.ts'
import { startDiscovery } from './discovery.ts'
import { startExporter } from './exporter.ts'
import { folderId, foreignState } from './folder-id.ts'
import { openLog } from './log.ts'
import { proxyProgram } from './proxy-program.ts'
import { apiCertificate, clusterKeys, controlSecret, generatePassword, keepOnlyKey } from './secrets.ts'
import { addServices } from './services.ts'
import { readSettings, type Settings } from './settings.ts'
import { makeStatistics } from './statistics.ts'
import { API_VERSION, HOLDFAST_VERSION } from './version.ts'

/** The only node there is, until clusters have several. */
const NODE_UID = 1

class CannotStart extends Error {}

async function main(): Promise<void> {
  const reading = readSettings(process.argv.slice(2), process.env)
  if (!reading.ok) {
    if (reading.exitCode === 0) process.stdout.write(`${reading.problem}\n`)
    else process.stderr.write(`holdfast: ${reading.problem}\n`)
    process.exit(reading.exitCode)
  }
  const { settings } = reading
  try {
    await checkPort(settings)
    const opening = await openDataFolder(settings.dataDir)
    if (!opening.ok) throw new CannotStart(opening.problem)
    const stop = await startNode(settings, opening.folder)
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(signal))
  } catch (error) {
    process.stderr.write(`holdfast: ${error instanceof Error ? error.message : error}\n`)
    process.exit(error instanceof CannotStart ? 2 : 1)
  }
}

async function startNode(settings: Settings, folder: DataFolder): Promise<(signal: string) => Promise<void>> {
  const { dataDir, listen } = settings
  const now = () => Date.now()
  const startedAtMs = now()
  const logging = openLog(join(dataDir, 'logs'), 'holdfast')
  const { log } = logging
  const keys = await clusterKeys(dataDir, settings.replaceKey)
  const [key, ...oldKeys] = keys
  const id = await folderId(dataDir)
  const [store, engines] = await Promise.all([openStore(settings), findEngines(settings)])
  const onTrouble = (message: string, error: unknown) => log.error({ err: error }, message)
  const state = new State({ store, sealer: new Sealer(keys), onTrouble })
  const tokens = new Tokens(createHmac('sha256', key).update('tokens').digest())
  const around = new LiveSurroundings(state, listen)
  const agent = new LocalAgent({
    dataDir,
    nodeUid: NODE_UID,
    engines,
    controlSecret: await controlSecret(dataDir, keys),
    keyPairOf: around.keyPairOf,
    log,
    hangsAfterMs: () => around.hangsAfterMs,
    proxy: proxyProgram(() => state.nodes.get(NODE_UID)?.value),
    now,
  })
  const stopping = new AbortController()
  // Finding a thousand processes again takes a second; the API answers meanwhile, and nothing acts before it is done.
  const adopted = agent.start(stopping.signal)
  adopted.catch(() => undefined)
  await state.view.start()
  logging.follow(state)
  const events = new EventLog({
    files: new LineFiles({ folder: join(dataDir, 'logs'), name: 'audit', fileBytes: 10_485_760, files: 10 }),
    now,
    onTrouble: (error) => onTrouble('events cannot be written down', error),
  })
  const auditListener = new ListenerLink(log)
  events.onLine((line) => auditListener.send(line))
  const foreign = await foreignState(dataDir, id, state, NODE_UID)
  if (foreign !== null) throw new CannotStart(foreign)
  if (oldKeys.length > 0) {
    await sealAnew(state)
    await keepOnlyKey(dataDir, key)
    log.info({}, 'everything is sealed under a new key')
    events.record({ type: 'cluster_key_replaced', severity: 'INFO' })
  }

  const address = advertisedAddress(listen, agent.host.addresses)
  const names = (cluster: string) => certificateNames(cluster, agent.host, listen)
  const certificates = new NodeCertificates({ state, dataDir, now, log })
  const bootstrap = new Bootstrap({
    state,
    nodeUid: NODE_UID,
    now,
    folderId: id,
    onCreated: async (name) => {
      if (name !== settings.clusterName) await apiCertificate(dataDir, names(name), now(), true)
      await certificates.keep(names(name), (presented) => listener.present(presented))
    },
  })
  const agents = new Map([[NODE_UID, agent]])
  const databasePorts = { first: settings.databasePorts.low, last: settings.databasePorts.high }
  const shardPorts = { first: settings.shardPorts.low, last: settings.shardPorts.high }
  const { statistics, sampler } = makeStatistics({ state, agents, dataDir, now, log })
  const alerts = alertKeeper({
    state,
    store,
    agents,
    statistics,
    ports: [databasePorts, shardPorts],
    periodSeconds: settings.alertPeriod,
    record: (event) => events.record(event),
    now,
    log,
  })
  const ocsp = new OcspWatch({ state, now, log, events })
  const notifier = notifications({
    state,
    board: alerts,
    periodSeconds: settings.alertPeriod,
    record: (event) => events.record(event),
    now,
    log,
  })
  const parts: Parts = {
    state,
    agents,
    nodeUid: NODE_UID,
    around,
    databasePorts,
    shardPorts,
    apiPort: settings.apiPort,
    discoveryPort: settings.discoveryPort,
    metricsPort: settings.metricsPort,
    softwareVersion: API_VERSION,
    credentials: new Credentials({
      state,
      tokens,
      now,
      directory: new Directory({ state, now, log, certificate: () => certificates.ofName('ldap_client') }),
      onTrouble: (error) => onTrouble('a login is not written down', error),
    }),
    bootstrap,
    bootstrapDefaults: { clusterName: settings.clusterName, address },
    databases: new RenderedDatabases(state),
    allocation: new Turn(),
    events,
    alerts,
    ocsp,
    notifier,
    statistics,
    sso: new SsoDesk({ key: createHmac('sha256', key).update('sso').digest(), now, log }),
    services: new ServiceDesk(),
    now,
    log,
  }
  const clusterName = state.cluster.get('')?.value.name ?? settings.clusterName
  const listener = new Listener(parts, ROUTES, await certificates.ofApi(names(clusterName)))
  if (bootstrap.isDone) await certificates.keep(names(clusterName), (presented) => listener.present(presented))
  const mine = { severity: 'INFO', node_uid: NODE_UID } as const
  const isNew = !bootstrap.isDone
  const password = await bootstrapIfNeeded(settings, bootstrap, address)
  if (isNew && bootstrap.isDone) events.record({ type: 'cluster_created', originator: settings.username, ...mine })
  events.record({ type: 'control_plane_started', description: `Holdfast ${HOLDFAST_VERSION}`, ...mine })
  await followAddress(state, address)
  followState(state, events)
  followAuditing(state, auditListener)
  followShards(agents.values(), state, events)
  ocsp.start()
  const rehashing = new Rehashing({ state, log })
  rehashing.start()
  const jobs = new JobScheduler({
    state,
    jobs: {
      cert_rotation: ({ expiryDays }) =>
        certificates.renew(names(state.cluster.get('')?.value.name ?? clusterName), expiryDays),
      node_checks: nodeChecksJob(parts),
    },
    log,
  })
  const drills = new DrillScheduler(parts)
  const diagnostics = new DiagnosticLog(parts, join(dataDir, 'logs', 'diagnostics'))
  await listener.listen(listen, settings.apiPort)
  const discovery = await startDiscovery({ settings, state, folderId: id, now, log })
  const exporter = await startExporter(settings, parts)
  const servers = { sentinel_service: discovery?.service, metrics_exporter: exporter?.service }
  addServices(parts.services, { nodeUid: NODE_UID, agent, statistics, startedAtMs, servers })
  const reconciler = new Reconciler({ state, store, agents, nodeUid: NODE_UID, holder: id, around, now, log })
  void adopted.then(
    () => {
      if (stopping.signal.aborted) return
      reconciler.start()
      alerts.start()
      notifier.start()
      void sampler.start()
    },
    (error) => {
      if (stopping.signal.aborted) return
      log.error({ err: error }, 'the processes of this machine cannot be found')
      process.stderr.write(`holdfast: the processes of this machine cannot be found: ${error}\n`)
      process.exit(1)
    },
  )

  const apiUrl = `https://${address.includes(':') ? `[${address}]` : address}:${settings.apiPort}`
  await folder.announce({ apiUrl, version: HOLDFAST_VERSION })
  log.info({ apiUrl, version: HOLDFAST_VERSION, engines, databases: state.databases.size }, 'ready')
  const userName = [...state.users.values()][0]?.value.email
  // Otherwise only a clean end would make the next start faster.
  flushCompileCache()
  process.stdout.write(
    banner({
      apiUrl,
      discovery: discovery?.inWords,
      metrics: exporter?.inWords,
      userName,
      password,
      dataDir,
      engines,
      databases: state.databases.size,
    }),
  )

  let stopped: Promise<void> | undefined
  const stop = async (signal: string): Promise<void> => {
    log.info({ signal }, 'stopping')
    stopping.abort(new Error('the control plane is stopping'))
    jobs.close()
    drills.close()
    await diagnostics.close()
    await discovery?.close()
    await exporter?.close()
    await listener.close()
    await alerts.close()
    await ocsp.close()
    await rehashing.close()
    await notifier.close()
    await reconciler.close()
    await sampler.close()
    await agent.close()
    state.view.close()
    await store.close()
    events.record({ type: 'control_plane_stopped', ...mine })
    events.close()
    auditListener.close()
    const running = state.databases.size
    process.stdout.write(
      running === 0
        ? '\nHoldfast has stopped.\n'
        : `\nHoldfast has stopped; ${running === 1 ? 'its database keeps' : `its ${running} databases keep`} running. npm start picks up from here, npm stop stops everything.\n`,
    )
    await folder.close()
    logging.close()
    process.exit(0)
  }
  return (signal) => {
    stopped ??= stop(signal).catch((error) => {
      process.stderr.write(`holdfast: it did not stop cleanly: ${error instanceof Error ? error.message : error}\n`)
      process.exit(1)
    })
    return stopped
  }
}

async function openStore(settings: Settings): Promise<Store> {
  if (settings.etcd !== null) {
    const { openEtcdStore } = await import('#store/etcd.ts')
    return openEtcdStore({ endpoint: settings.etcd, prefix: `/holdfast/${settings.clusterName}/` })
  }
  const { openSqliteStore } = await import('#store/sqlite.ts')
  return openSqliteStore(join(settings.dataDir, 'state.db'))
}

async function findEngines(settings: Settings) {
  try {
    return await detectEngines({ searchPath: process.env.PATH ?? '', named: settings.engine })
  } catch (error) {
    throw new CannotStart(error instanceof Error ? error.message : String(error))
  }
}

/** Says so before anything is touched; listening itself may still fail if somebody is faster. */
async function checkPort({ listen, apiPort }: Settings): Promise<void> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used: ${error.message}`
      reject(new CannotStart(`port ${apiPort} on ${listen} ${why}; choose another one with --api-port (or --listen)`))
    })
    server.listen(apiPort, listen, () => server.close(() => resolve()))
  })
}

/** The password, if one was made up now. */
async function bootstrapIfNeeded(
  settings: Settings,
  bootstrap: Bootstrap,
  address: string,
): Promise<string | undefined> {
  if (bootstrap.isDone || settings.noBootstrap) return undefined
  const generated = settings.password === null ? await generatePassword(settings.dataDir) : undefined
  const isCreated = await bootstrap.createCluster({
    name: settings.clusterName,
    userName: settings.username,
    password: generated ?? settings.password ?? '',
    address,
    nodeSettings: {},
    policy: {},
  })
  return isCreated ? generated : undefined
}

/** The node's address follows from --listen, which may be another one than at the last start. */
async function followAddress(state: State, address: string): Promise<void> {
  const node = state.nodes.get(NODE_UID)
  if (!node || node.value.address === address) return
  await state.view.commit({
    compare: [state.nodes.unchanged(NODE_UID, node)],
    changes: [state.nodes.put(NODE_UID, { ...node.value, address })],
    configuration: true,
  })
}

await main()
