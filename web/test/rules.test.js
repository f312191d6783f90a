import assert from 'node:assert/strict'
import { test } from 'node:test'
import { load } from './load.js'

const row = (sid, recordings = []) => ({ call_sid: sid, recordings })
const list = (...pages) => ({
  pageParams: pages.map((_, i) => (i ? `c${i}` : null)),
  pages: pages.map((sids, i) => ({
    calls: sids.map((sid) => row(sid)),
    next_cursor: i < pages.length - 1 ? `c${i + 1}` : 'end',
  })),
})
const sids = (pages) => pages.pages.map((page) => page.calls.map((call) => call.call_sid).join(''))

test('it is looked after 2 s, then half as long again each time, at most 8 s and ten times', async () => {
  const { lookAfter } = await load('player/backoff.ts')
  const waits = Array.from({ length: 11 }, (_, n) => lookAfter(n, null))
  assert.deepEqual(waits, [2000, 3000, 4500, 6750, 8000, 8000, 8000, 8000, 8000, 8000, null])
  assert.equal(lookAfter(0, 5), 5000, 'never before the service said')
  assert.equal(lookAfter(0, 60), 8000)
})

test('a first page asked again puts what is new in front and loses no row', async () => {
  const { pagesWithFirst } = await load('live/merge.ts')
  const before = list(['d', 'c', 'b'], ['a'])
  const again = { calls: [row('f'), row('e'), row('d')], next_cursor: 'other' }
  assert.deepEqual(sids(pagesWithFirst(before, again)), ['fedcb', 'a'])
  const far = { calls: [row('z'), row('y'), row('x')], next_cursor: 'other' }
  assert.deepEqual(sids(pagesWithFirst(before, far)), ['zyx'], 'no overlap: afresh')
  const gone = { calls: [row('d'), row('b'), row('a')], next_cursor: null }
  assert.deepEqual(sids(pagesWithFirst(before, gone)), ['dba'], 'the whole list on one page')
})

test('a deleted call leaves its page', async () => {
  const { pagesWithoutCall } = await load('live/merge.ts')
  const before = list(['d', 'c'], ['b', 'a'])
  assert.deepEqual(sids(pagesWithoutCall(before, 'c')), ['d', 'ba'])
  assert.equal(pagesWithoutCall(before, 'x'), before, 'it is on no page')
})

test('a fetched page comes behind the pages as they are now', async () => {
  const { pagesAfterFetch } = await load('live/merge.ts')
  const begun = list(['c', 'b'])
  const page = { calls: [row('a')], next_cursor: null }
  const param = begun.pages.at(-1).next_cursor
  const fetched = { pages: [...begun.pages, page], pageParams: [...begun.pageParams, param] }
  const now = { ...begun, pages: [{ ...begun.pages[0], calls: [row('d'), ...begun.pages[0].calls] }] }
  assert.deepEqual(sids(pagesAfterFetch(now, fetched)), ['dcb', 'a'])
  assert.equal(pagesAfterFetch(undefined, fetched), fetched)
  const afresh = { ...begun, pages: [{ calls: [row('z')], next_cursor: 'other' }] }
  assert.equal(pagesAfterFetch(afresh, fetched), afresh, 'it no longer follows')
  const reset = list(['f', 'e'])
  assert.equal(pagesAfterFetch(begun, reset), reset, 'asked again from the first')
})

test('news of a recording change its row, wherever it was booked, and nothing else', async () => {
  const { pagesWithRecording } = await load('live/merge.ts')
  const leg = { recording_sid: 'RE1', call_sid: 'child', status: 'queued' }
  const pages = { pageParams: [null], pages: [{ calls: [row('top', [leg]), row('other')], next_cursor: null }] }
  const next = pagesWithRecording(pages, { ...leg, status: 'ready' })
  assert.equal(next.pages[0].calls[0].recordings[0].status, 'ready')
  assert.equal(next.pages[0].calls[1], pages.pages[0].calls[1])
  assert.equal(pagesWithRecording(pages, { recording_sid: 'RE9', call_sid: 'elsewhere' }), pages)
  const first = { pageParams: [null], pages: [{ calls: [row('top', [{ recording_sid: null }])], next_cursor: null }] }
  const { calls } = pagesWithRecording(first, { recording_sid: 'RE2', call_sid: 'top' }).pages[0]
  assert.deepEqual(
    calls[0].recordings.map((r) => r.recording_sid),
    ['RE2'],
  )
})

test('an answer counts after the news that came while it was asked for, the newest of each thing', async () => {
  const { Meanwhile } = await load('live/meanwhile.ts')
  const { listWithNews } = await load('live/merge.ts')
  const meanwhile = new Meanwhile()
  const ready = (status) => ({ kind: 'recording', recording: { recording_sid: 'RE1', call_sid: 'a', status } })
  let answer
  const asked = meanwhile.ask(
    () =>
      new Promise((resolve) => {
        answer = resolve
      }),
    listWithNews,
  )
  meanwhile.hear(ready('downloading'))
  meanwhile.hear({ kind: 'reset' })
  meanwhile.hear(ready('ready'))
  meanwhile.hear({ kind: 'gone', call_sid: 'b' })
  answer({
    calls: [row('a', [{ recording_sid: 'RE1', call_sid: 'a', status: 'queued' }]), row('b')],
    next_cursor: null,
  })
  const { calls } = await asked
  assert.deepEqual(calls, [{ call_sid: 'a', recordings: [ready('ready').recording] }])
  const old = { calls: [row('b')], next_cursor: null }
  assert.equal(await meanwhile.ask(async () => old, listWithNews), old, 'news of before count no more')
  await assert.rejects(
    meanwhile.ask(() => Promise.reject(new Error('offline')), listWithNews),
    /offline/,
  )
})

test('two letters or three characters are a search', async () => {
  const { canSearch } = await load('calls/query.ts')
  const asked = ['', 'ל', '12', 'a1', 'לי', 'da', '123', 'a b'].filter(canSearch)
  assert.deepEqual(asked, ['לי', 'da', '123', 'a b'])
})

test('the filters of the address are what the API is asked', async () => {
  const { queryOf, readFilters } = await load('calls/query.ts')
  const asked = (text) => Object.fromEntries(queryOf(readFilters(new URLSearchParams(text)), new Date(2025, 2, 10, 15)))
  assert.deepEqual(asked(''), { limit: '50' })
  assert.deepEqual(asked('q=a1'), { limit: '50' }, 'too short to ask for')
  assert.deepEqual(asked('q=abc&direction=inbound&recording=failed&status=busy&has=no'), {
    limit: '50',
    search: 'abc',
    direction: 'inbound',
    recording_status: 'failed',
    status: 'busy',
    has_recording: 'false',
  })
  assert.deepEqual(asked('status=nonsense&has=perhaps&min=-1&sort=name'), { limit: '50' }, 'what can mean nothing')
  assert.deepEqual(asked('agent=rona&own=%2B15550100&tag=vip&min=30&max=90&sort=-duration'), {
    limit: '50',
    agent: 'rona',
    own_number: '+15550100',
    tag: 'vip',
    min_duration: '30',
    max_duration: '90',
    sort: '-duration',
  })
  const day = (d) => new Date(2025, 2, d).toISOString()
  assert.deepEqual(asked('date=yesterday'), { limit: '50', since: day(9), until: day(10) })
  assert.deepEqual(asked('date=custom&from=2025-03-01&to=2025-03-02'), { limit: '50', since: day(1), until: day(3) })
  assert.deepEqual(asked('date=custom&from=2025-03-02&to=2025-03-01'), { limit: '50', since: day(1), until: day(3) })
})

test('a change of one filter leaves the others, and dates only with their choice', async () => {
  const { changed } = await load('calls/query.ts')
  const after = (before, change) => changed(new URLSearchParams(before), change).toString()
  assert.equal(after('q=abc&has=no', { has: '', status: 'busy' }), 'q=abc&status=busy')
  assert.equal(after('date=custom&from=2025-03-01', { to: '2025-03-02' }), 'date=custom&from=2025-03-01&to=2025-03-02')
  assert.equal(after('date=custom&from=2025-03-01', { date: 'today' }), 'date=today')
})

test('a retry of many shows how many are queued again and how many are left', async () => {
  const { failureRows, retriesGoOn } = await load('health/figures.ts')
  const failures = { timeout: 3, provider_error: 40 }
  assert.deepEqual(failureRows(failures, {}), [
    { code: 'provider_error', failed: 40, queued: null },
    { code: 'timeout', failed: 3, queued: null },
  ])
  assert.deepEqual(failureRows(failures, { provider_error: 200, not_audio: 400, any: 7 }), [
    { code: 'provider_error', failed: 40, queued: 200 },
    { code: 'timeout', failed: 3, queued: null },
    { code: 'not_audio', failed: 0, queued: 400 },
  ])
  assert.equal(retriesGoOn({ retrying: {} }), false)
  assert.equal(retriesGoOn({ retrying: { any: 0 } }), true)
})

test('health warns of a queue that stays long, of too few that are ready and too many that failed', async () => {
  const { warningsOf } = await load('health/figures.ts')
  const stats = (change = {}) => ({
    recordings: { missing: 0, queued: 0, downloading: 0, ready: 1000, failed: 10, expired: 5 },
    failures: {},
    queue_depth: 0,
    queue_oldest_seconds: null,
    store_free_bytes: 100,
    store_reserved_bytes: 10,
    ...change,
  })
  const long = (minutes) => Array.from({ length: 31 }, (_, i) => ({ at: i * minutes * 2000, depth: 11 }))
  assert.deepEqual(warningsOf(stats(), []), [])
  assert.deepEqual(warningsOf(stats({ queue_depth: 11 }), long(4)), [])
  assert.deepEqual(warningsOf(stats({ queue_depth: 11 }), long(5)), ['warnQueue'])
  assert.deepEqual(warningsOf(stats({ queue_depth: 10 }), long(5)), [])
  assert.deepEqual(warningsOf(stats({ queue_depth: 11, queue_oldest_seconds: 301 }), []), ['warnQueue'])
  const of = (ready, failed) =>
    stats({ recordings: { missing: 0, queued: 0, downloading: 0, ready, failed, expired: 0 } })
  assert.deepEqual(warningsOf(of(79, 0), []), [])
  assert.deepEqual(warningsOf(of(79, 21), []), ['warnReady', 'warnFailed'])
  assert.deepEqual(warningsOf(stats({ store_free_bytes: 10 }), []), ['warnDisk'])
})

test('peaks of two channels are told apart', async () => {
  const { peaksOf } = await load('player/peaks.ts')
  const peaks = peaksOf({ channels: 2, length: 2, data: [-64, 32, -128, 127, 0, 0, -16, 64] })
  assert.deepEqual(
    peaks.map((channel) => [...channel]),
    [
      [0.5, 0],
      [1, 0.5],
    ],
  )
})

test('a recording says when it goes, and warns in its last 7 days', async () => {
  const { keepingOf } = await load('recording/keeping.ts')
  const now = new Date('2026-03-01T12:00:00Z')
  const of = (fields) => keepingOf({ status: 'ready', expires_at: null, ...fields }, now)?.kind ?? null
  assert.equal(of({}), null, 'kept for ever')
  assert.equal(of({ expires_at: '2026-03-08T12:00:01Z' }), 'until')
  assert.equal(of({ expires_at: '2026-03-08T12:00:00Z' }), 'soon')
  assert.equal(of({ expires_at: '2026-02-28T12:00:00Z' }), 'soon', 'due, and not gone yet')
  assert.equal(of({ status: 'expired', expires_at: '2026-02-28T12:00:00Z' }), null)
  assert.equal(of({ hold: { reason: 'court', by: 'key:1', at: '2026-02-01T00:00:00Z' } }), 'held')
})

test('two days that were chosen are the first and the last one, whichever was chosen first', async () => {
  const { chosenDays } = await load('calls/query.ts')
  const [first, last] = [new Date(2025, 2, 1), new Date(2025, 2, 2)]
  assert.deepEqual(chosenDays({ from: '2025-03-02', to: '2025-03-01' }), [first, last])
  assert.deepEqual(chosenDays({ from: '2025-03-01', to: '2025-03-02' }), [first, last])
  assert.deepEqual(chosenDays({ from: '', to: '2025-03-02' }), [null, last])
})
