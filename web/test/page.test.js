import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { load, web } from './load.js'

test('numbers are written with their calling code, and what is no number stays', async () => {
  const { readable } = await load('recording/number.ts')
  for (const [number, words] of [
    ['+97235550000', '+972 3 555 0000'],
    ['+972501234567', '+972 50 123 4567'],
    ['+972771234567', '+972 77 123 4567'],
    ['+971501234567', '+971 50 123 4567'],
    ['+351211234567', '+351 21 123 4567'],
    ['+35312345678', '+353 1 234 5678'],
    ['+380441234567', '+380 44 123 45 67'],
    ['+85221234567', '+852 2123 4567'],
    ['+15550100123', '+1 555 010 0123'],
    ['+442079460101', '+44 20 7946 0101'],
    ['+447700900123', '+44 7700 900123'],
    ['+33123456789', '+33 1 23 45 67 89'],
    ['+74951234567', '+7 495 123 45 67'],
    ['+49301234567', '+49 30 1234567'],
    ['+495141123456', '+49 514 112 3456'],
    ['+919876543210', '+91 98765 43210'],
    ['+34912345678', '+34 912 34 56 78'],
    ['+2112345678', '+211 2345678'.replace('2345678', '234 5678')],
  ])
    assert.equal(readable(number), words)
  for (const other of ['anonymous', '+123', '5550100', '', '+99', '+2801234567', '*72'])
    assert.equal(readable(other), other)
})

test('numbers of the own country are written as there, where it is known how', async () => {
  const { readable, countryOf } = await load('recording/number.ts')
  for (const [number, words] of [
    ['+97235550000', '03-555-0000'],
    ['+972501234567', '050-123-4567'],
    ['+9721700123456', '1-700-123-456'],
    ['+442079460101', '020 7946 0101'],
    ['+441214960000', '0121 496 0000'],
    ['+447700900123', '07700 900123'],
    ['+12025550100', '202-555-0100'],
    ['+74951234567', '8-495-123-45-67'],
    ['+33123456789', '01 23 45 67 89'],
    ['+4521234567', '21 23 45 67'],
    ['+919876543210', '98765 43210'],
    ['+495141123456', '+49 514 112 3456'], // areas of any length: not known where one ends
  ])
    assert.equal(readable(number, countryOf(number)), words)
  assert.equal(readable('+97235550000', '44'), '+972 3 555 0000')
  assert.equal(countryOf('+972'), '972')
  assert.equal(countryOf('+97235550000'), '972')
  for (const vague of ['+', '+97', '+9', null, '']) assert.equal(countryOf(vague), null)
})

test('a shorter time to keep recordings is told from a longer one', async () => {
  const { daysIn, isShorter } = await load('settings/days.ts')
  for (const [text, days] of [
    ['30', 30],
    [' 7 ', 7],
    ['36500', 36500],
    ['0', undefined],
    ['36501', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['', undefined],
    ['x', undefined],
  ])
    assert.equal(daysIn(text, 36_500), days, text)
  for (const [days, before, standard, shorter] of [
    [30, 0, 0, true],
    [30, null, 0, true],
    [30, null, 90, true],
    [120, null, 90, false],
    [null, 120, 90, true],
    [null, 120, 0, false],
    [0, 120, 90, false],
    [30, 30, 0, false],
  ])
    assert.equal(isShorter(days, before, standard), shorter, `${days} after ${before}, ${standard}`)
})

test('dates are written by the browser’s own tag of the language, or its region', async () => {
  const { formatTag } = await load('i18n/language.ts')
  assert.equal(formatTag('en', ['en-GB', 'en']), 'en-GB')
  assert.equal(formatTag('en', ['en-US']), 'en-US')
  assert.equal(formatTag('en', ['he-IL', 'he', 'en']), 'en-IL')
  assert.equal(formatTag('en', ['en']), 'en-GB', 'no region: not the United States')
  assert.equal(formatTag('he', ['en-US']), 'he-IL')
  assert.match(formatTag('en', ['en-US'], '24'), /^en-US-u-hc-h23$/)
  const { time, zone } = await load('i18n/format.ts')
  assert.notEqual(zone('en-GB'), '')
  const late = new Date(2025, 2, 1, 23, 46)
  assert.equal(time('en-IL', late), '23:46')
  assert.equal(time('en-GB', late), '23:46')
  assert.match(time('en-US', late), /11:46/)
  assert.equal(time(formatTag('en', ['en-US'], '24'), late), '23:46')
})

test('words are found by file, plural and blanks', async () => {
  const { lookUp } = await load('i18n/lookup.ts')
  const bundles = {
    app: { a: { one: 'x {{n}}', calls_one: 'a call', calls_other: '{{count}} calls' } },
    errors: { gone: 'Gone' },
  }
  const plural = (n) => (n === 1 ? 'one' : n === 2 ? 'two' : 'other')
  const say = (key, values, files = ['app', 'errors']) => lookUp(bundles, files, plural, key, values)
  assert.equal(say('a.one', { n: 5 }), 'x 5')
  assert.equal(say('a.calls', { count: 1 }), 'a call')
  assert.equal(say('a.calls', { count: 2 }), '2 calls', 'no such plural: other')
  assert.equal(say('gone'), 'Gone')
  assert.equal(say('errors:gone', {}, ['app']), 'Gone')
  assert.equal(say('nothing.here'), 'nothing.here')
  assert.equal(say('nothing.here', { defaultValue: 'else' }), 'else')
})

test('one word for a state: the chip begins as its filter does', async () => {
  const { told } = await load('recording/state.ts')
  const words = JSON.parse(readFileSync(path.join(web, 'src/i18n/en/app.json'), 'utf8'))
  for (const status of ['ready', 'downloading', 'queued', 'missing', 'expired']) {
    const { key } = told({
      recording_sid: 'RE',
      status,
      error: null,
      next_retry_at: null,
      progress: { bytes: 1, total: null },
    })
    assert.equal(words.recording[key], words.recording.filter[status], status)
  }
})

test('an absent recording is none that failed', async () => {
  const { isAbsent, isPlayable, told } = await load('recording/state.ts')
  const absent = { recording_sid: 'RE', status: 'failed', error: { code: 'absent_silent' } }
  assert.equal(isAbsent(absent), true)
  assert.equal(isPlayable(absent), false)
  assert.equal(told(absent).kind, 'gone')
  const { shares } = await load('health/figures.ts')
  const recordings = { missing: 0, queued: 0, downloading: 0, ready: 98, failed: 2, expired: 0 }
  assert.deepEqual(shares({ recordings, failures: { absent_silent: 2 } }), { ready: 1, failed: 0 })
  assert.equal(shares({ recordings, failures: { absent_silent: 1, timeout: 1 } }).failed, 1 / 99)
})

test('a calendar: weeks, spans and keys', async () => {
  const { weeksOf, spanAfter, dayAfterKey, firstWeekday } = await load('calls/calendar.ts')
  const march = weeksOf(2025, 2, 1)
  assert.equal(march.length, 6)
  assert.deepEqual([march[0][0].getDate(), march[0][5].getDate(), march[5][0].getDate()], [24, 1, 31])
  assert.equal(firstWeekday('he-IL'), 0)
  assert.equal(firstWeekday('en-GB'), 1)
  assert.deepEqual(spanAfter('', '', '2025-03-05'), { from: '2025-03-05', to: '' })
  assert.deepEqual(spanAfter('2025-03-05', '', '2025-03-02'), { from: '2025-03-02', to: '2025-03-05' })
  assert.deepEqual(spanAfter('2025-03-01', '2025-03-05', '2025-03-09'), { from: '2025-03-09', to: '' })
  const day = new Date(2025, 2, 1)
  assert.equal(dayAfterKey(day, 'ArrowLeft', false).getDate(), 2, 'in Hebrew the next day is on the left')
  assert.equal(dayAfterKey(day, 'ArrowUp', true).getDate(), 22)
  assert.equal(dayAfterKey(day, 'x', true), null)
})

test('columns: chosen, in their order, moved and hidden', async () => {
  const { columnsOf, movedColumn, withColumn, orderOf } = await load('calls/columns.ts')
  assert.deepEqual(columnsOf(null, false), ['direction', 'time', 'duration', 'recording'])
  assert.ok(columnsOf(null, true).includes('agent'))
  assert.deepEqual(columnsOf(['time', 'direction', 'other'], true), ['time', 'direction'])
  assert.deepEqual(movedColumn(['time', 'direction'], 'direction', -1), ['direction', 'time'])
  assert.deepEqual(movedColumn(['time', 'direction'], 'direction', 1), ['time', 'direction'])
  assert.deepEqual(withColumn(['time', 'direction'], 'time', false), ['direction'])
  assert.equal(orderOf(['tags']).length, 7)
})

test('lengths are typed as people write them, and an order turns at the second press', async () => {
  const { secondsOf, sortAfter } = await load('calls/query.ts')
  assert.deepEqual(['90', '1:30', '1:02:30', 'x', '1:', ''].map(secondsOf), [90, 90, 3750, null, null, null])
  assert.deepEqual([sortAfter('', 'time'), sortAfter('started_at', 'time')], ['started_at', ''])
  assert.deepEqual([sortAfter('', 'duration'), sortAfter('-duration', 'duration')], ['-duration', 'duration'])
})

test('a saved view of the same name is replaced', async () => {
  const { withView } = await load('calls/views.ts')
  const views = withView(withView([], { name: 'b', search: 'x' }), { name: 'a', search: 'y' })
  assert.deepEqual(withView(views, { name: 'b', search: 'z' }), [
    { name: 'a', search: 'y' },
    { name: 'b', search: 'z' },
  ])
})

test('the legs of a call stand on one scale: rang, talked, recorded, transferred', async () => {
  const { timelineOf } = await load('call/timeline.ts')
  const at = (s) => new Date(Date.UTC(2025, 2, 1, 9, 0, s)).toISOString()
  const leg = (call_sid, parent, from, to, duration) => ({
    call_sid,
    parent_call_sid: parent,
    started_at: at(from),
    ended_at: at(to),
    duration,
    recordings: [],
  })
  const top = leg('top', null, 0, 100, 95)
  const first = leg('first', 'top', 5, 45, 30)
  const second = leg('second', 'top', 50, 100, 40)
  const missed = leg('missed', 'top', 2, 4, 0)
  const recording = { call_sid: 'first', recording_sid: 'RE', started_at: at(15), duration: 30 }
  const { lines, seconds } = timelineOf([second, top, missed, first], [recording])
  assert.equal(seconds, 100)
  assert.deepEqual(
    lines.map(({ leg, transferred, answered }) => [leg.call_sid, answered, transferred]),
    [
      ['top', true, false],
      ['missed', false, false],
      ['first', true, false],
      ['second', true, true],
    ],
  )
  assert.deepEqual(lines[2].parts, [
    { kind: 'rang', from: 5, to: 15 },
    { kind: 'talked', from: 15, to: 45 },
    { kind: 'recorded', from: 15, to: 45 },
  ])
  assert.equal(timelineOf([{ ...top, started_at: null }], []), null)
})

test('the first hour: what is done, wrong and waited for, and the addresses as they are entered', async () => {
  const { stepsOf, urlsOf, troublesOf } = await load('setup/setup.ts')
  const setup = {
    findings: [
      { level: 'ok', code: 'credentials_accepted' },
      { level: 'warn', code: 'no_webhook' },
      { level: 'fail', code: 'no_worker' },
    ],
    webhook_urls: ['/webhooks/twilio/1/call', 'https://a.example/webhooks/twilio/1/recording'],
    last_webhook: null,
    credentials: 'ok',
  }
  assert.deepEqual(stepsOf(setup), { credentials: 'done', webhook: 'waits', recording: 'waits' })
  const refused = { ...setup, last_webhook: { result: 'refused', reason: 'bad signature' }, credentials: 'missing' }
  assert.deepEqual(stepsOf(refused), { credentials: 'open', webhook: 'wrong', recording: 'waits' })
  assert.deepEqual(urlsOf(setup, 'http://b.example/reel/'), {
    call: 'http://b.example/webhooks/twilio/1/call#rc=3&rp=all',
    recording: 'https://a.example/webhooks/twilio/1/recording#rc=3&rp=all',
  })
  assert.deepEqual(
    troublesOf(setup).map(({ code }) => code),
    ['no_worker', 'no_webhook'],
  )
})

test('what can wait is done when the browser is idle, and soon where it can’t tell', async () => {
  const { whenIdle } = await load('ui/idle.ts')
  const asked = []
  const before = [globalThis.requestIdleCallback, globalThis.setTimeout]
  globalThis.setTimeout = (act, ms) => asked.push(['later', ms < 1000, act])
  try {
    globalThis.requestIdleCallback = (act, { timeout }) => asked.push(['idle', timeout > 0, act])
    whenIdle(() => asked.push('done'))
    delete globalThis.requestIdleCallback
    whenIdle(() => asked.push('done'))
  } finally {
    ;[globalThis.requestIdleCallback, globalThis.setTimeout] = before
  }
  assert.deepEqual(
    asked.map(([how, good]) => [how, good]),
    [
      ['idle', true],
      ['later', true],
    ],
  )
  for (const [, , act] of [...asked]) act()
  assert.equal(asked.filter((one) => one === 'done').length, 2)
})

test('the edge between two columns moves as far as both keep some width', async () => {
  const { gridOf, resized } = await load('calls/columns.ts')
  const widths = { who: 300, time: 100, duration: 80 }
  for (const [by, time, duration] of [
    [20, 120, 60],
    [500, 132, 48],
    [-30, 70, 110],
    [-500, 48, 132],
    [0, 100, 80],
  ])
    assert.deepEqual(resized(widths, 'time', 'duration', by), { who: 300, time, duration }, `${by}`)
  assert.deepEqual(resized({ time: 20, duration: 80 }, 'time', 'duration', -5), { time: 20, duration: 80 })
  assert.equal(
    gridOf(['time', 'tags'], true, widths),
    '1.5rem 34px minmax(0, 300fr) minmax(0, 100fr) minmax(0, 120fr) minmax(0, 3.6rem)',
  )
})

test('a size is a run of its own within text of the other direction', async () => {
  const { size } = await load('i18n/format.ts')
  assert.equal(size('he', 3_200_000), '\u20683.2 MB\u2069')
})
