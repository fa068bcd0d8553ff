/**
 * INFO, in the sections that a Sentinel has.
 */
import type { RespValue } from '#resp/value.ts'
import type { Service } from './client.ts'
import { bulk } from './replies.ts'

const ALL = ['default', 'all', 'everything']

/** `words`: the command's own. */
export function infoText([, ...wanted]: readonly string[], service: Service): RespValue {
  const names = wanted.map((name) => name.toLowerCase())
  const isWanted = (section: string) =>
    names.length === 0 || names.some((name) => name === section || ALL.includes(name))
  const sections = Object.entries(SECTIONS).filter(([name]) => isWanted(name))
  const text = sections.map(([name, lines]) =>
    [`# ${name[0]?.toUpperCase()}${name.slice(1)}`, ...lines(service), ''].join('\r\n'),
  )
  return bulk(text.join('\r\n'))
}

const SECTIONS: Readonly<Record<string, (service: Service) => string[]>> = {
  server: ({ version, port, myId, startedAtMs, nowMs }) => [
    `redis_version:${version}`,
    'redis_mode:sentinel',
    `run_id:${myId}`,
    `tcp_port:${port}`,
    `uptime_in_seconds:${Math.floor((nowMs() - startedAtMs) / 1000)}`,
  ],
  clients: ({ clientCount }) => [`connected_clients:${clientCount()}`],
  sentinel: ({ directory }) => {
    const names = directory.names()
    return [
      `sentinel_masters:${names.length}`,
      'sentinel_tilt:0',
      'sentinel_running_scripts:0',
      ...names.map(
        ([name, { host, port }], index) =>
          `master${index}:name=${name},status=ok,address=${host}:${port},slaves=0,sentinels=1`,
      ),
    ]
  },
}
