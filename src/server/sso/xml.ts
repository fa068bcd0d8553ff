/**
 * XML of strangers: what is no part of SAML, or more than any message of it, is turned away before anything parses it.
 * A document type could name entities that grow without end; comments and CDATA have fooled readers of signed texts
 * before, and nobody needs them here.
 */

import type { Element, Node } from '@xmldom/xmldom'

const ELEMENT_NODE = 1

/** Not XML, or not any that is read here; a sentence for people. */
export class BadXml extends Error {}

export type XmlLimits = {
  readonly characters: number
  readonly tags: number
  readonly attributes: number
  readonly depth: number
}

export async function parseXml(text: string, limits: XmlLimits): Promise<Element> {
  checkSize(text, limits)
  const { DOMParser } = await import('@xmldom/xmldom')
  const fail = (message: string) => {
    throw new BadXml(`it is not well-formed XML: ${message.split('\n')[0]}`)
  }
  const errorHandler = { warning: fail, error: fail, fatalError: fail }
  const document = new DOMParser({ errorHandler }).parseFromString(text, 'text/xml')
  if (!document?.documentElement) throw new BadXml('it is no XML')
  return document.documentElement
}

function checkSize(text: string, { characters, tags, attributes, depth }: XmlLimits): void {
  if (text.length > characters) throw new BadXml(`it has more than ${characters} characters`)
  if (text.includes('<!')) throw new BadXml('it has a document type, a comment or CDATA')
  if (text.lastIndexOf('<?') > 0) throw new BadXml('it has a processing instruction')
  if (occurrences(text, '<') > tags) throw new BadXml(`it has more than ${tags} tags`)
  // Attributes of one element are looked up one by one.
  if (occurrences(text, '=') > attributes) throw new BadXml(`it has more than ${attributes} attributes`)
  // Each element is compared with all that it is in, when it is written anew for its digest.
  if (isDeeperThan(text, depth)) throw new BadXml(`it nests more than ${depth} levels`)
}

/** Angle brackets within the values of attributes do not count. */
function isDeeperThan(text: string, limit: number): boolean {
  let depth = 0
  let quote = ''
  let tagAt = -1
  for (let at = 0; at < text.length; at++) {
    const character = text.charAt(at)
    if (tagAt < 0) {
      if (character === '<') tagAt = at
    } else if (quote !== '') {
      if (character === quote) quote = ''
    } else if (character === '"' || character === "'") quote = character
    else if (character === '>') {
      if (text[tagAt + 1] === '/') depth--
      else if (text[at - 1] !== '/' && text[at - 1] !== '?' && ++depth > limit) return true
      tagAt = -1
    }
  }
  return false
}

function occurrences(text: string, character: string): number {
  let count = 0
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count++
  return count
}

/** Those right below it. */
export function childrenOf(parent: Element, namespace: string, name: string): Element[] {
  return Array.from(parent.childNodes).filter(
    (node): node is Element => isAnElement(node) && isElement(node, namespace, name),
  )
}

/** Everywhere below it. */
export function descendantsOf(parent: Element, namespace: string, name: string): Element[] {
  return Array.from(parent.getElementsByTagNameNS(namespace, name))
}

export function attributeOf(element: Element, name: string): string {
  return element.getAttribute(name) ?? ''
}

export function textOf(element: Element | undefined): string {
  return element?.textContent?.trim() ?? ''
}

export function isElement(element: Element, namespace: string, name: string): boolean {
  return element.localName === name && element.namespaceURI === namespace
}

function isAnElement(node: Node): node is Element {
  return node.nodeType === ELEMENT_NODE
}

/** As the content of an element or of an attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\r\n\t]/g, (character) => `&#${character.charCodeAt(0)};`)
}
