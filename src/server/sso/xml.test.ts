import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BadXml, escapeXml, parseXml } from './xml.ts'

const LIMITS = { characters: 1_000, tags: 20, attributes: 10, depth: 3 }

test('reads what is within its limits', async () => {
  const text = '<?xml version="1.0"?><a b=">"><c><d/></c><c><d e="/>">f &amp; &#60;</d></c></a>'
  const element = await parseXml(text, LIMITS)
  assert.deepEqual([element.localName, element.getAttribute('b'), element.textContent], ['a', '>', 'f & <'])
})

test('says why it does not read anything else', async () => {
  for (const [text, why] of [
    ['', /no XML|well-formed/],
    ['a', /no XML|well-formed/],
    ['<a', /no XML|well-formed/],
    ['<a></b>', /well-formed/],
    ['<a b="&c;"/>', /well-formed/],
    ['<!DOCTYPE a><a/>', /document type/],
    ['<a><!-- b --></a>', /comment/],
    ['<a><![CDATA[b]]></a>', /CDATA/],
    ['<a><?b c?></a>', /processing instruction/],
    [`<a>${'b'.repeat(1_000)}</a>`, /characters/],
    [`<a>${'<b/>'.repeat(20)}</a>`, /tags/],
    [`<a>${'<b c=""/>'.repeat(11)}</a>`, /attributes/],
    ['<a><b><c><d></d></c></b></a>', /3 levels/],
    ['<a b="/>"><b c=\'/>\'><c d="\'/>"><d></d></c></b></a>', /3 levels/],
  ] as const)
    await assert.rejects(parseXml(text, LIMITS), (error) => error instanceof BadXml && why.test(error.message), text)
})

test('what is escaped is read back as it was', async () => {
  const text = `<a b="c">'&amp;' \t\r\n]]></a>`
  const element = await parseXml(`<x y="${escapeXml(text)}">${escapeXml(text)}</x>`, LIMITS)
  assert.deepEqual([element.getAttribute('y'), element.textContent], [text, text])
})
