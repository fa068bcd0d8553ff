/**
 * Where applications reach a database.
 */

import { applied, kept, reported } from '../field.ts'
import { PROXY_POLICIES } from '../proxy-policies.ts'
import { list, oneOf, record, text, whole } from '../shapes.ts'

const PORT_MAX = 65_535

const endpoint = record({
  uid: text('', 'Database and number of the endpoint: 1:1.'),
  dns_name: text('', 'Name under which it can be published: redis-PORT.CLUSTER.'),
  port: whole(0, 'The port that it listens on.', { maximum: PORT_MAX }),
  addr: list(text('', 'An address.'), 'The addresses that it answers at.'),
  addr_type: oneOf(['external', 'internal'], 'external', 'Whether these are for applications elsewhere.'),
  proxy_policy: oneOf([...PROXY_POLICIES], 'single', 'As on the database.'),
  exclude_proxies: list(text('', 'A proxy.'), 'Proxies that leave it out.'),
  include_proxies: list(text('', 'A proxy.'), 'Proxies that have it besides.'),
  oss_cluster_api_preferred_ip_type: oneOf(['internal', 'external'], 'internal', 'As on the database.'),
  oss_cluster_api_preferred_endpoint_type: oneOf(['ip', 'hostname'], 'ip', 'As on the database.'),
})

export const endpointFields = {
  port: applied(whole(0, 'Port for applications; 0: chosen, and shown by the endpoint.', { maximum: PORT_MAX })),
  endpoints: reported(list(endpoint, 'Where applications reach the database.')),
  proxy_policy: kept(
    oneOf([...PROXY_POLICIES], 'single', 'Which proxies an endpoint is bound to.'),
    'Each choice comes to the same: the one node has one proxy, and every shard.',
  ),
  endpoint: reported(text('', 'The endpoint that was bound last.')),
  endpoint_ip: reported(list(text('', 'An address.'), 'Addresses of the node of its endpoint.'), { deprecated: true }),
  endpoint_node: reported(whole(0, 'The node of its endpoint.'), { deprecated: true }),
  dns_address_master: reported(text('', 'Name of its endpoint inside the cluster.'), { deprecated: true }),
}
