// The main pages look as their kept pictures: in both languages, light and dark, with fixed data at a fixed time.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { differs } from './pictures.js'
import { rowOf, world } from './world.js'

const NOW = new Date('2025-03-04T12:00:00Z')
let w, blank, calls, made
before(async () => {
  w = await world({ fonts: fileURLToPath(new URL('fonts.conf', import.meta.url)) })
  await w.api('PATCH', '/api/business', { body: { numbers: ['+97235550999'] } })
  const people = [
    { name: 'Maya Rosen', seconds: 60, channels: 2, legs: 2, direction: 'inbound', from: '+972501234567', start_time: '2025-03-04T09:30:00Z' },
    { name: 'נועה לוי', seconds: 30, direction: 'outbound', to: '+97237654321', start_time: '2025-03-04T08:05:00Z' },
    { name: null, seconds: 8, status: 'absent', direction: 'inbound', from: '+442079460101', start_time: '2025-03-03T16:20:00Z' },
    { name: 'Daniel Cohen', seconds: 0, call_status: 'no-answer', direction: 'outbound', to: '+33123456789', start_time: '2025-03-03T16:00:00Z' },
    { name: 'Chiara Greco', seconds: 20, direction: 'inbound', from: '+12025550100', start_time: '2024-12-24T11:00:00Z' },
  ]
  calls = []
  for (const { name, ...wishes } of people) {
    const call = await w.call(wishes)
    if (name) await call.name(name)
    calls.push(call)
  }
  made = calls[0]
  await w.api('PATCH', `/api/calls/${made.call_sid}`, { body: { tags: ['vip'], ref: '10452' } })
  for (const one of [0, 1, 4]) await w.until(calls[one].recording_sid, 'ready')
  blank = await (await w.browser.newContext()).newPage()
})
after(() => w.stop())

// Values that differ in every world: the page gets these instead.
const peaks = (n) => Array.from({ length: 400 }, (_, i) => Math.round(Math.max(0, Math.sin(i / 9 + n) * 60 + Math.sin(i / 2.3) * 40))).flatMap((high) => [-high, high])
const waveform = { version: 2, channels: 2, sample_rate: 8000, samples_per_pixel: 1200, bits: 8, length: 400 }
waveform.data = peaks(0).flatMap((_, i, all) => (i % 2 ? [] : [all[i], all[i + 1], peaks(3)[i], peaks(3)[i + 1]]))
const words = (start, end, text) => text.split(' ').map((word, i, { length }) => ({ word, start: start + ((end - start) * i) / length, end: start + ((end - start) * (i + 1)) / length, confidence: 0.9 }))
const said = (start, end, speaker, text) => ({ start, end, channel: speaker === 'customer' ? 0 : 1, speaker, text, confidence: 0.9, words: words(start, end, text) })
const transcript = {
  status: 'ready', progress: { done: 4, total: 4 }, engine: 'openai', model: 'large-v3-turbo', language: 'he', duration: 60, text: '',
  segments: [
    said(2, 7, 'customer', 'שלום, ה WhatsApp של המנוי 4821 לא עובד מאתמול.'), said(8, 11, 'agent', 'One moment please, I am looking.'),
    said(30, 34, 'customer', 'תודה רבה!'),
  ],
  gaps: [{ start: 14, end: 26, reason: 'engine_error' }], talk: { speakers: { customer: 21, agent: 12 }, silence: 27, overlap: 1 },
  version: 2, edited_by: 'user:dana', edited_at: '2025-03-04T10:00:00Z', error: null,
}
const answers = {
  '**/api/recordings/*/transcript*': transcript,
  '**/api/recordings/*/waveform*': waveform,
  '**/api/recordings/*/card*': { business_name: 'Harbour Clinic', started_at: '2025-03-04T09:30:00Z', duration: 60, expires_at: '2025-03-05T09:30:00Z' },
  '**/api/stats': {
    recordings: { missing: 1, queued: 2, downloading: 1, ready: 1230, failed: 9, expired: 40 },
    failures: { absent_too_short: 5, not_found_at_provider: 3, provider_error: 1 },
    queue_depth: 2, queue_oldest_seconds: 95, hit_ratio: 0.972, bytes: 1_310_000_000, retrying: {}, store_free_bytes: 52e9, store_reserved_bytes: 1e9,
  },
  '**/api/setup': {
    findings: [{ level: 'warn', code: 'public_url', text: '', todo: 'x' }], credentials: 'ok',
    webhook_urls: ['https://calls.example.com/webhooks/twilio/1/call', 'https://calls.example.com/webhooks/twilio/1/recording'],
    last_webhook: { at: '2025-03-04T11:58:00Z', kind: 'call', result: 'ok', reason: null },
  },
  '**/api/business': {
    business_id: 1, name: 'Harbour Clinic', account_sid: `AC${'0'.repeat(32)}`, has_auth_token: true, api_key: null, credentials: 'ok', numbers: ['+97235550999'],
    retention_days: 90, default_retention_days: 0, retention_metadata_days: 0, transcribe: null, language: null, vocabulary: null, default_language: 'auto', transcribes: false,
  },
  '**/api/keys': { keys: [
    { key_id: 2, name: 'Front desk', role: 'agent', created_at: '2025-01-20T10:00:00Z', last_used_at: '2025-03-04T11:00:00Z', expires_at: null },
    { key_id: 1, name: null, role: 'admin', created_at: '2025-01-02T10:00:00Z', last_used_at: null, expires_at: null },
  ] },
  '**/api/sessions': { sessions: [
    { session_id: '0'.repeat(16), kind: 'session', role: 'agent', subject: null, made_by: 'key:2', made_at: '2025-03-04T09:00:00Z', expires_at: '2025-03-04T21:00:00Z' },
    { session_id: '1'.repeat(16), kind: 'link', role: 'viewer', subject: null, made_by: 'key:1', made_at: '2025-03-04T11:55:00Z', expires_at: '2025-03-04T12:05:00Z' },
  ] },
  '**/api/audit?*': { next: null, entries: [
    { id: 1, at: '2025-03-04T11:58:00Z', actor: 'key:2', role: 'agent', action: 'play', object: 'RE0123456789abcdef0123456789abcdef', ip: '192.0.2.7', details: null, digest: null },
  ] },
  '**/api/urls*': { urls: [], next_cursor: null },
}

const wide = { width: 1240, height: 800 }
const pages = {
  list: async (page) => {
    await page.goto('/')
    await rowOf(page, calls[4]).waitFor()
    await page.locator('.live-live').waitFor()
  },
  call: async (page) => {
    await page.goto(`/calls/${made.call_sid}`)
    await page.locator('.legs').waitFor()
    await page.locator('.card-wave .seek-wave').waitFor()
    await page.locator('.notes').first().waitFor()
    await page.locator('.line').nth(3).waitFor()
    await page.locator('.live-live').waitFor()
  },
  health: async (page) => {
    await page.goto('/health')
    await page.locator('.failures').waitFor()
    await page.locator('[data-finding]').waitFor()
    await page.locator('.live-live').waitFor()
  },
  settings: async (page) => {
    await page.goto('/settings')
    await page.locator('.settings-table').nth(1).waitFor()
    await page.locator('.live-live').waitFor()
  },
  embed: async (page, language) => {
    await page.goto(`/embed/${made.recording_sid}?lang=${language}&dir=inbound`)
    await page.locator('callreel-player .seek-wave').waitFor()
  },
  signin: async (page) => {
    await page.goto('/signed-out')
    await page.locator('.signin').waitFor()
  },
}
/** The SIDs of this world. */
const hideSids = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) walker.currentNode.data = walker.currentNode.data.replace(/\b(CA|RE)[0-9a-f]{32}\b/g, '$10123456789abcdef0123456789abcdef')
}

for (const [language, theme] of [['en', 'light'], ['he', 'dark']])
  test(`the pages look as they are kept, ${language}, ${theme}`, async () => {
    const context = await w.person({
      chosen: { language, theme },
      options: { locale: language === 'he' ? 'he-IL' : 'en-GB', timezoneId: 'Asia/Jerusalem', colorScheme: theme, viewport: wide, reducedMotion: 'reduce' },
    })
    const page = await context.newPage()
    await page.clock.setFixedTime(NOW)
    for (const [url, json] of Object.entries(answers)) await context.route(url, (route) => route.fulfill({ json }))
    await context.route(`**/api/calls/${made.call_sid}`, async (route) => {
      const response = await route.fetch()
      const call = await response.json()
      const recordings = call.recordings.map((recording) => ({ ...recording, transcript_asked: true }))
      return route.fulfill({ response, json: { ...call, has_transcript: true, recordings } })
    })
    const wrong = []
    const look = async (name, options) => {
      await page.evaluate(() => document.fonts.ready)
      await page.evaluate(hideSids)
      wrong.push(await differs(`${name}-${language}-${theme}`, page, blank, options))
    }
    for (const [name, open] of Object.entries(pages)) {
      if (name === 'signin') await context.clearCookies()
      await open(page, language)
      await page.evaluate(() => document.activeElement?.blur())
      await look(name)
      if (name === 'list') {
        await page.setViewportSize({ width: 390, height: 844 })
        await look('phone')
        await page.setViewportSize(wide)
      }
    }
    assert.deepEqual(wrong.filter(Boolean), [])
    await context.close()
  })
