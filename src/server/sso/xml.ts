/**
 * XML of strangers: what is no part of SAML, or more than any message of it, is turned away before anything parses it.
 * A document type could name entities that grow without end; comments and CDATA have fooled readers of signed texts
 * before, and nobody needs them here.
 */

import type { Element, Node } from '@xmldom/xmldom'

const ELEMENT_NODE = 1

/** Not XML, or not any that is read here; a sentence for people. */
export class BadXml extends Error {}

export type XmlLimits = { readonly characters: number; readonly tags: number; readonly attributes: number }

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

function checkSize(text: string, { characters, tags, attributes }: XmlLimits): void {
  if (text.length > characters) throw new BadXml(`it has more than ${characters} characters`)
  if (text.includes('<!')) throw new BadXml('it has a document type, a comment or CDATA')
  if (text.lastIndexOf('<?') > 0) throw new BadXml('it has a processing instruction')
  if (occurrences(text, '<') > tags) throw new BadXml(`it has more than ${tags} tags`)
  // Attributes of one element are looked up one by one.
  if (occurrences(text, '=') > attributes) throw new BadXml(`it has more than ${attributes} attributes`)
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
