/**
 * A DNS suffix: what the names of endpoints end with.
 */
import { reported } from './field.ts'
import { flag, list, objectOf, text } from './shapes.ts'

export const SuffixObject = objectOf('suffix', {
  name: reported(text('', 'The suffix.')),
  default: reported(flag(false, 'Whether the names of endpoints end with it.')),
  internal: reported(flag(false, 'Whether its names lead to internal addresses.')),
  mdns: reported(flag(false, 'Whether its names are told by multicast.')),
  use_aaaa_ns: reported(flag(false, 'Whether IPv6 addresses of name servers are published.')),
  slaves: reported(list(text('', 'A name server.'), 'More name servers that publish it.')),
})
