/**
 * Under which addresses and names this node is reached, derived from where it listens.
 */
import { isIP } from 'node:net'
import type { HostFacts } from '#plan/agent.ts'

/** A wildcard is no address that a client could use: then it is the machine's first one that others can reach. */
export function advertisedAddress(listen: string, addresses: HostFacts['addresses']): string {
  if (listen !== '0.0.0.0' && listen !== '::') return listen
  const wanted = listen === '::' ? 'ipv6' : 'ipv4'
  const outward = addresses.find(({ address, format }) => format === wanted && !isLoopback(address))
  return outward?.address ?? (wanted === 'ipv6' ? '::1' : '127.0.0.1')
}

/** Everything that a client may have typed to get here. */
export function certificateNames(clusterName: string, host: HostFacts, listen: string): [string, ...string[]] {
  const listened = isIP(listen) === 0 || (listen !== '0.0.0.0' && listen !== '::') ? [listen] : []
  const addresses = host.addresses.map(({ address }) => address.split('%')[0] ?? address)
  return [clusterName, `*.${clusterName}`, host.hostname, 'localhost', '127.0.0.1', '::1', ...listened, ...addresses]
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1' || address.toLowerCase().startsWith('fe80')
}
