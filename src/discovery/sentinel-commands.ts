/**
 * SENTINEL …: what this service is for. It tells where databases are, in the words of Redis Sentinel, and is asked by the
 * Sentinel mode of clients. It never decides anything: what changes databases is refused, with where to ask for it.
 */
import { encodeValue } from '#resp/encode.ts'
import type { RespValue } from '#resp/value.ts'
import { type Answer, type Asked, fitsArity } from './client.ts'
import type { Named, Place } from './directory.ts'
import { bulk, error, inProtocol, integer, list, map, NO_LIST, OK, type Protocol, texts } from './replies.ts'

type Subcommand = { readonly arity: number; readonly run: (asked: Asked) => Answer; readonly help: string }

const NO_SUCH_MASTER = error('ERR No such master with that name')
/** Sentinels agree with each other; the control plane has its own way, and answers for all of them. */
const QUORUM = '1'

function ofName(arity: number, help: string, run: (place: Place, name: string) => RespValue): Subcommand {
  const answer = ({ words, service }: Asked) => {
    const [, , name = ''] = words
    const place = service.directory.find(name)
    return place ? run(place, name) : NO_SUCH_MASTER
  }
  return { arity, help, run: answer }
}

function refusal(help: string, where: string): Subcommand {
  return { arity: -2, help, run: () => error(`ERR not here: ${where}`) }
}

const REPLICAS = ofName(3, '<name> -- An empty list: replicas take no connections.', () => list([]))

const SUBCOMMANDS: ReadonlyMap<string, Subcommand> = new Map(
  Object.entries({
    masters: {
      arity: 2,
      help: '-- Every database, twice: as NAME@internal and as NAME.',
      run: describeAll,
    },
    master: ofName(3, '<name> -- The database of this name.', (place, name) => describe(name, place)),
    'get-master-addr-by-name': {
      arity: 3,
      help: '<name> -- Where the database of this name is reached: address and port.',
      run: ({ words, service }) => {
        const place = service.directory.find(words[2] ?? '')
        return place ? texts([place.host, String(place.port)]) : NO_LIST
      },
    },
    replicas: REPLICAS,
    slaves: REPLICAS,
    sentinels: ofName(3, '<name> -- The other services like this one.', () => list([])),
    ckquorum: ofName(3, '<name> -- Whether the database would be replaced if it died.', () => ({
      kind: 'status',
      text: 'OK 1 usable Sentinels. Quorum and failover authorization can be reached',
    })),
    myid: { arity: 2, help: '-- The id of this service.', run: ({ service }) => bulk(service.myId) },
    'is-master-down-by-addr': {
      arity: 6,
      help: '<ip> <port> <epoch> <runid> -- Asked by Sentinels among themselves: this one never votes.',
      run: () => list([integer(0), bulk('*'), integer(0)]),
    },
    'pending-scripts': { arity: 2, help: '-- An empty list.', run: () => list([]) },
    'info-cache': { arity: -3, help: '<name> [<name> …] -- An empty list.', run: () => list([]) },
    failover: refusal('<name> -- Refused.', 'ask the API: POST /v1/shards/{uid}/actions/failover'),
    monitor: refusal('… -- Refused.', 'databases are made with the API: POST /v1/bdbs'),
    remove: refusal('… -- Refused.', 'databases are removed with the API: DELETE /v1/bdbs/{uid}'),
    set: refusal('… -- Refused.', 'databases are changed with the API: PUT /v1/bdbs/{uid}'),
    reset: refusal('… -- Refused.', 'there is nothing to reset, the state of the cluster counts'),
    config: refusal('… -- Refused.', 'the control plane has flags and variables, see npm start -- --help'),
    flushconfig: { arity: 2, help: '-- OK: the state is always on disk.', run: () => OK },
    help: { arity: 2, help: '-- This.', run: () => helpText() },
  } satisfies Record<string, Subcommand>),
)

export function runSentinel(asked: Asked): Answer {
  const [, subcommand = ''] = asked.words
  const found = SUBCOMMANDS.get(subcommand.toLowerCase())
  if (!found) return error(`ERR unknown subcommand '${subcommand.slice(0, 128)}'. Try SENTINEL HELP.`)
  if (!fitsArity(asked.words, found.arity))
    return error(`ERR wrong number of arguments for 'sentinel|${subcommand.toLowerCase()}' command`)
  return found.run(asked)
}

/** Large, and the same for everybody until something changes: made once for each list of names. */
const described = new WeakMap<readonly Named[], Map<Protocol, Buffer>>()

function describeAll({ client: { protocol }, service }: Asked): Answer {
  const names = service.directory.names()
  const known = described.get(names) ?? new Map<Protocol, Buffer>()
  described.set(names, known)
  const made = known.get(protocol)
  if (made) return { encoded: made }
  const all = list(names.map(([name, place]) => describe(name, place)))
  const encoded = encodeValue(inProtocol(all, protocol))
  known.set(protocol, encoded)
  return { encoded }
}

/**
 * No flag but `master`, whatever happens to the database: it is back at the same place in a moment, and clients wait for
 * that by themselves; of a place that is called down they would say that it does not exist.
 */
function describe(name: string, { host, port, epoch }: Place): RespValue {
  return map({
    name: bulk(name),
    ip: bulk(host),
    port: bulk(String(port)),
    flags: bulk('master'),
    'role-reported': bulk('master'),
    'config-epoch': bulk(String(epoch)),
    'num-slaves': bulk('0'),
    'num-other-sentinels': bulk('0'),
    quorum: bulk(QUORUM),
  })
}

function helpText(): RespValue {
  const lines = [...SUBCOMMANDS].map(([name, { help }]) => `${name.toUpperCase()} ${help}`)
  return list(['SENTINEL <subcommand> [<arg> …]. Subcommands are:', ...lines].map((text) => ({ kind: 'status', text })))
}
