/**
 * The commands that the service knows, each with what it takes, and how one is found and run. It is a Sentinel in what
 * clients ask of one, and nothing else: there are no keys, and nothing can be stopped or changed.
 */

import { type Answer, type Asked, type Command, fitsArity, isSubscribed } from './client.ts'
import { CLIENT_COMMANDS } from './client-commands.ts'
import { infoText } from './info.ts'
import { bulk, error, integer, list, map, NO_LIST, OK, texts, wrongArguments } from './replies.ts'
import { runSentinel } from './sentinel-commands.ts'
import { SUBSCRIPTION_COMMANDS } from './subscriptions.ts'

const FAST = ['loading', 'stale', 'fast', 'sentinel'] as const
const PONG = { kind: 'status', text: 'PONG' } as const

const COMMANDS: ReadonlyMap<string, Command> = new Map(
  Object.entries({
    ...CLIENT_COMMANDS,
    ...SUBSCRIPTION_COMMANDS,
    ping: { arity: -1, flags: FAST, run: ping },
    echo: { arity: 2, flags: FAST, run: ({ words }) => bulk(words[1] ?? '') },
    quit: { arity: -1, flags: FAST, run: () => ({ last: OK }) },
    sentinel: { arity: -2, flags: ['admin', 'sentinel', 'only_sentinel'], run: runSentinel },
    role: {
      arity: 1,
      flags: FAST,
      run: ({ service }) => list([bulk('sentinel'), texts(service.directory.names().map(([name]) => name))]),
    },
    info: { arity: -1, flags: ['loading', 'stale', 'sentinel'], run: ({ words, service }) => infoText(words, service) },
    command: { arity: -1, flags: ['loading', 'stale', 'sentinel'], run: describeCommands },
    publish: {
      arity: 3,
      flags: ['pubsub', 'loading', 'stale', 'fast', 'sentinel'],
      run: () => error('ERR Only HELLO messages are accepted by Sentinel instances.'),
    },
  } satisfies Record<string, Command>),
)

const WHILE_SUBSCRIBED = new Set(['subscribe', 'unsubscribe', 'psubscribe', 'punsubscribe', 'ping', 'quit', 'reset'])
const SHOWN = 128

export function answer(asked: Asked): Answer {
  const { words, client } = asked
  const [given = '', ...rest] = words
  const name = given.toLowerCase()
  const command = COMMANDS.get(name)
  if (!command) {
    const beginning = rest
      .map((word) => `'${word}' `)
      .join('')
      .slice(0, SHOWN)
    return error(`ERR unknown command '${given.slice(0, SHOWN)}', with args beginning with: ${beginning}`)
  }
  if (!fitsArity(words, command.arity)) return wrongArguments(name)
  // Replies and news could not be told apart in RESP2.
  if (client.protocol === 2 && isSubscribed(client) && !WHILE_SUBSCRIBED.has(name)) {
    return error(
      `ERR Can't execute '${name}': only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
    )
  }
  return command.run(asked)
}

function ping({ words, client }: Asked): Answer {
  if (words.length > 2) return wrongArguments('ping')
  if (client.protocol === 2 && isSubscribed(client)) return texts(['pong', words[1] ?? ''])
  return words[1] === undefined ? PONG : bulk(words[1])
}

function describeCommands({ words }: Asked): Answer {
  const [, subcommand = '', ...names] = words
  switch (subcommand.toLowerCase()) {
    case '':
      return list([...COMMANDS].map(describe))
    case 'count':
      return integer(COMMANDS.size)
    case 'list':
      return texts([...COMMANDS.keys()])
    case 'docs':
      return map({})
    case 'info': {
      const wanted = names.length > 0 ? names.map((name) => name.toLowerCase()) : [...COMMANDS.keys()]
      return list(
        wanted.map((name) => {
          const command = COMMANDS.get(name)
          return command ? describe([name, command]) : NO_LIST
        }),
      )
    }
    default:
      return error(`ERR unknown subcommand '${subcommand.slice(0, SHOWN)}'. Try COMMAND COUNT, DOCS, INFO or LIST.`)
  }
}

/** As Redis describes a command that has no keys. */
function describe([name, { arity, flags }]: readonly [string, Command]) {
  const statuses = flags.map((text) => ({ kind: 'status', text }) as const)
  const [noFirst, noLast, noStep] = [integer(0), integer(0), integer(0)]
  const [categories, tips, keySpecs, subcommands] = [list([]), list([]), list([]), list([])]
  return list([
    bulk(name),
    integer(arity),
    { kind: 'set', items: statuses },
    ...[noFirst, noLast, noStep, categories, tips, keySpecs, subcommands],
  ])
}
