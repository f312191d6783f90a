import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.js'

const said = (start, end, text, more = {}) => ({
  start,
  end,
  channel: 0,
  speaker: 'customer',
  text,
  confidence: null,
  words: null,
  ...more,
})
/** Each word is heard for its share of the time. */
const spoken = (start, end, text, more = {}) => {
  const words = text.split(' ')
  const each = (end - start) / words.length
  return said(start, end, text, {
    words: words.map((word, i) => ({
      word,
      start: start + i * each,
      end: start + (i + 1) * each,
      confidence: 0.9,
    })),
    ...more,
  })
}

test('the words of a line stand where they are read, punctuation and repetition included', async () => {
  const { placesOf } = await load('transcript/lines.ts')
  const text = 'no, no, שלום. no'
  const words = ['no,', ' no,', 'שלום.', 'absent', 'no'].map((word, i) => ({ word, start: i, end: i + 1 }))
  const placed = placesOf(text, words)
  assert.deepEqual(
    placed.map(({ from, to }) => text.slice(from, to)),
    ['no,', 'no,', 'שלום.', 'no'],
  )
  assert.deepEqual(
    placed.map(({ start }) => start),
    [0, 1, 2, 4],
  )
})

test('the word that is heard is marked from its beginning, over short pauses, not over long ones', async () => {
  const { heardAt, linesOf } = await load('transcript/lines.ts')
  const lines = linesOf({ segments: [spoken(1, 3, 'one two'), spoken(10, 12, 'three four')], gaps: [] })
  const at = (t) => heardAt(lines, t).map(({ line, word }) => `${line}.${word}`)
  assert.deepEqual([0, 1, 1.9, 2, 3.3, 5, 9.9, 10, 11.5].map(at), [
    [],
    ['0.0'],
    ['0.0'],
    ['0.1'],
    ['0.1'],
    [],
    [],
    ['1.0'],
    ['1.1'],
  ])
})

test('two who speak at once are marked both', async () => {
  const { heardAt, linesOf } = await load('transcript/lines.ts')
  const segments = [spoken(0, 10, 'a long sentence goes on'), spoken(4, 5, 'yes', { speaker: 'agent', channel: 1 })]
  const lines = linesOf({ segments, gaps: [] })
  assert.deepEqual(heardAt(lines, 4.5), [
    { line: 1, word: 0 },
    { line: 0, word: 2 },
  ])
  assert.deepEqual(heardAt(lines, 9), [{ line: 0, word: 4 }], 'the short one is over')
})

test('a line without words is marked as a whole', async () => {
  const { heardAt, linesOf } = await load('transcript/lines.ts')
  const lines = linesOf({ segments: [said(2, 6, 'all of it')], gaps: [] })
  assert.deepEqual(lines[0].words, [{ from: 0, to: 9, start: 2, end: 6 }])
  assert.deepEqual(heardAt(lines, 4), [{ line: 0, word: 0 }])
})

test('what is missing stands where it is missing', async () => {
  const { lineAt, linesOf } = await load('transcript/lines.ts')
  const gaps = [{ start: 5, end: 33, reason: 'engine_error' }]
  const lines = linesOf({ segments: [said(0, 4, 'before'), said(40, 41, 'after')], gaps })
  assert.deepEqual(
    lines.map(({ kind, start }) => [kind, start]),
    [
      ['said', 0],
      ['gap', 5],
      ['said', 40],
    ],
  )
  assert.deepEqual(
    [0, 4.5, 20, 99].map((t) => lineAt(lines, t)),
    [0, 0, 1, 2],
  )
})

test('10,000 lines are looked through in no time: by halves, not one by one', async () => {
  const { lastBegun } = await load('transcript/lines.ts')
  let looks = 0
  const sorted = Array.from({ length: 10_000 }, (_, i) => ({
    get start() {
      looks++
      return i
    },
  }))
  assert.equal(lastBegun(sorted, 7777.5), 7777)
  assert.ok(looks < 20, `${looks}`)
})

test('a text is read from the side of its first letter', async () => {
  const { isFromRight } = await load('transcript/lines.ts')
  assert.deepEqual(['שלום WhatsApp', '"23 שקלים"', 'WhatsApp שלחתי', '12:30', ''].map(isFromRight), [
    true,
    true,
    false,
    false,
    false,
  ])
})

test('a search in the transcript finds what the list would find, and says where', async () => {
  const { findAll, fold } = await load('transcript/find.ts')
  const texts = ['Café, at O’Neill’s', 'הַמָּנוּי שֶׁלִּי לא עובד, המנוי', 'צה״ל תל־אביב']
  const folded = [...texts.map(fold), null]
  const found = (query) => findAll(folded, query).map(({ line, from, to }) => texts[line].slice(from, to))
  assert.deepEqual(found('cafe'), ['Café'])
  assert.deepEqual(found("o'neill"), ['O’Neill'])
  assert.deepEqual(found('מנוי'), ['מָּנוּי', 'מנוי'])
  assert.deepEqual(found('תל אביב'), ['תל־אביב'])
  assert.deepEqual(found('צהל'), ['צה״ל'])
  assert.deepEqual(found('  '), [])
  assert.deepEqual(found('nothing'), [])
})

test('what the API found is marked by its code points', async () => {
  const { markedParts } = await load('transcript/find.ts')
  assert.deepEqual(
    markedParts('😀 והמנוי שלי', [
      [2, 8],
      [99, 100],
    ]),
    [
      { text: '😀 ', marked: false },
      { text: 'והמנוי', marked: true },
      { text: ' שלי', marked: false },
    ],
  )
  assert.deepEqual(markedParts('', []), [])
})

test('the customer has the same colour in all calls, and who has a name keeps the colour that is left', async () => {
  const { speakersOf } = await load('transcript/speakers.ts')
  const colours = (...segments) => speakersOf(segments).map(({ name, colour }) => `${name} ${colour}`)
  const of = (speaker, channel) => said(0, 1, 'x', { speaker, channel })
  assert.deepEqual(colours(of('agent', 0), of('customer', 1)), ['customer 0', 'agent 1'])
  assert.deepEqual(colours(of('1', 0), of('2', 1)), ['1 0', '2 1'])
  assert.deepEqual(colours(of('Dana', 0), of('agent', 1)), ['Dana 0', 'agent 1'])
  assert.deepEqual(colours(of('customer', 1), of('Rami', 0)), ['customer 0', 'Rami 1'])
  assert.deepEqual(colours(of('Dana', 0), of('Rami', 1)), ['Dana 0', 'Rami 1'])
  assert.deepEqual(colours(of(null, 0)), [])
})

test('swapped speakers are the other ones, everywhere', async () => {
  const { renamed, swapOf } = await load('transcript/speakers.ts')
  const segments = [said(0, 1, 'a'), said(1, 2, 'b', { speaker: 'agent' }), said(2, 3, 'c', { speaker: null })]
  assert.deepEqual(
    renamed(segments, swapOf('customer', 'agent')).map(({ speaker }) => speaker),
    ['agent', 'customer', null],
  )
})

test('a corrected word takes the time of the one it replaces; all others keep theirs', async () => {
  const { rewritten } = await load('transcript/rewrite.ts')
  const before = spoken(10, 14, 'I lost my cart')
  const after = rewritten(before, '  I lost  my card. ')
  assert.equal(after.text, 'I lost my card.')
  assert.deepEqual(after.words.slice(0, 3), before.words.slice(0, 3))
  assert.deepEqual(after.words[3], { word: 'card.', start: 13, end: 14, confidence: null })
})

test('words that are added share the time between their neighbours', async () => {
  const { rewritten } = await load('transcript/rewrite.ts')
  const { words } = rewritten(spoken(0, 4, 'a x y d'), 'a b c d')
  assert.deepEqual(
    words.map(({ word, start, end }) => [word, start, end]),
    [
      ['a', 0, 1],
      ['b', 1, 2],
      ['c', 2, 3],
      ['d', 3, 4],
    ],
  )
  const longer = rewritten(spoken(0, 2, 'a d'), 'z a b d e').words
  assert.ok(longer.every(({ start, end }, i) => start <= end && (i === 0 || longer[i - 1].end <= start)))
})

test('a line without words stays one without', async () => {
  const { rewritten } = await load('transcript/rewrite.ts')
  assert.equal(rewritten(said(0, 1, 'a b'), 'a c').words, null)
  assert.deepEqual(rewritten(spoken(0, 1, 'a b'), ' ').words, [])
})

test('a text falls into its words and what was found, in the order in which it is read', async () => {
  const { partsOf } = await load('transcript/lines.ts')
  const text = 'שלום to you'
  const words = [
    { from: 0, to: 4, start: 0, end: 1 },
    { from: 5, to: 7, start: 1, end: 2 },
    { from: 8, to: 11, start: 2, end: 3 },
  ]
  const parts = partsOf(text, words, [{ from: 6, to: 10 }])
  assert.equal(parts.map((part) => part.text).join(''), text)
  assert.deepEqual(
    parts.map((part) => [part.text, part.word, part.found]),
    [
      ['שלום', 0, -1],
      [' ', -1, -1],
      ['t', 1, -1],
      ['o', 1, 0],
      [' ', -1, 0],
      ['yo', 2, 0],
      ['u', 2, -1],
    ],
  )
  assert.deepEqual(partsOf('', [], []), [])
})
