/**
 * The part of @xmldom/xmldom that is used here, in place of its own types: those bring everything that browsers have into
 * the scope of the whole program. `tsconfig.json` points here.
 */
export interface Node {
  readonly nodeType: number
  readonly textContent: string | null
}

export interface Element extends Node {
  readonly localName: string
  readonly namespaceURI: string | null
  readonly childNodes: ArrayLike<Node>
  hasAttribute(name: string): boolean
  getAttribute(name: string): string | null
  getElementsByTagNameNS(namespace: string, name: string): ArrayLike<Element>
}

export interface Document {
  readonly documentElement: Element | null
}

type Handler = (message: string) => void

export class DOMParser {
  constructor(options: {
    readonly errorHandler: { readonly warning: Handler; readonly error: Handler; readonly fatalError: Handler }
  })
  parseFromString(text: string, mediaType: string): Document | undefined
}
