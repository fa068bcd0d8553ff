/**
 * Keys that are encrypted in the configuration, opened with the passphrase that only the running program knows. Callers: the
 * program, before a configuration is taken over.
 */
import { createPrivateKey } from 'node:crypto'
import type { EndpointConfig, ProxyConfig } from './config.ts'

const ENCRYPTED = '-----BEGIN ENCRYPTED PRIVATE KEY-----'

/** One that cannot be opened stays as it is: its endpoint complains of it, and the others are served. */
export function withOpenKeys(config: ProxyConfig, passphrase: string): ProxyConfig {
  // Opening one takes a millisecond, and most endpoints have the same.
  const opened = new Map<string, string>()
  const open = (key: string): string => {
    if (!key.startsWith(ENCRYPTED)) return key
    const made = opened.get(key) ?? plainKey(key, passphrase)
    opened.set(key, made)
    return made
  }
  return { ...config, endpoints: config.endpoints.map((endpoint) => withKeys(endpoint, open)) }
}

function withKeys(endpoint: EndpointConfig, open: (key: string) => string): EndpointConfig {
  const { tls, shardsTls } = endpoint
  return {
    ...endpoint,
    ...(tls && { tls: { ...tls, key: open(tls.key) } }),
    ...(shardsTls?.own && { shardsTls: { ...shardsTls, own: { ...shardsTls.own, key: open(shardsTls.own.key) } } }),
  }
}

function plainKey(key: string, passphrase: string): string {
  try {
    return String(createPrivateKey({ key, passphrase }).export({ type: 'pkcs8', format: 'pem' }))
  } catch {
    return key
  }
}
