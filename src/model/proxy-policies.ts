/** Which proxies an endpoint is bound to, in the API's words. Pure. Callers: the schemas that have such a field. */
export const PROXY_POLICIES = ['single', 'all-master-shards', 'all-nodes'] as const
