/**
 * A range of ports, both ends in it.
 */
export type PortRange = { readonly first: number; readonly last: number }
