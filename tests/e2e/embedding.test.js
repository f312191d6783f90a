import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { eventually, root, watch, world } from './world.js'

const example = readFileSync(path.join(root, 'docs/embedding.html'), 'utf8')
let w, host, origin, ready
let page = '' // the pages that the other origin serves

before(async () => {
  host = http.createServer((_, answer) => answer.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy() }).end(page))
  host.listen(0, '127.0.0.1')
  await once(host, 'listening')
  origin = `http://localhost:${host.address().port}`
  w = await world({ settings: { CORS_ORIGINS: origin, FRAME_ANCESTORS: origin } })
  ready = await w.call({ seconds: 6 })
  await w.until(ready.recording_sid, 'ready')
})
after(async () => {
  host.close()
  await w.stop()
})

/** As strict as the manual says that one may be; the frame's own style attribute is the example's. */
const policy = () => `default-src 'none'; script-src ${w.base}; media-src ${w.base}; connect-src ${w.base}; frame-src ${w.base}; style-src-attr 'unsafe-inline'; style-src 'none'`

const sign = async (sid) => (await (await w.api('POST', `/api/recordings/${sid}/url?ttl=600`)).json()).url

/** The example of the manual, of this server and this recording. */
async function embed(sid) {
  const { search } = new URL(await sign(sid), w.base)
  page = example.replaceAll('https://calls.example.com', w.base).replaceAll('RE0123456789abcdef0123456789abcdef', sid).replaceAll('?SIGNED', search.replaceAll('&', '&amp;'))
  const context = await w.browser.newContext({ locale: 'en-GB' })
  const shown = await context.newPage()
  const seen = watch(shown)
  await shown.goto(origin)
  return { context, shown, seen }
}
const audioOf = (element) => element.evaluate((it) => {
  const { paused, currentTime, error } = it.shadowRoot.querySelector('audio')
  return { paused, time: currentTime, error: error?.message ?? null }
})

test('the element of the manual plays in a page of another origin, and asks for nothing before', async () => {
  const { context, shown, seen } = await embed(ready.recording_sid)
  const element = shown.locator('callreel-player')
  await element.getByRole('button', { name: 'Play' }).waitFor()
  await shown.frameLocator('iframe').getByRole('button', { name: 'Play' }).waitFor()
  assert.deepEqual(seen.paths('/api/'), [])
  await element.getByRole('button', { name: 'Play' }).click()
  await eventually(async () => (await audioOf(element)).time > 0, 'it sounds')
  await element.locator('.seek-wave').waitFor()
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('the frame plays too', async () => {
  const { context, shown } = await embed(ready.recording_sid)
  const frame = shown.frameLocator('iframe')
  await frame.getByRole('button', { name: 'Play' }).click()
  await eventually(async () => (await audioOf(frame.locator('callreel-player'))).time > 0, 'it sounds')
  await context.close()
})

test('what can not be had is told in words', async () => {
  const broken = await w.call({ seconds: 6, faults: ['xml'] })
  await w.until(broken.recording_sid, 'failed')
  const { context, shown } = await embed(broken.recording_sid)
  const element = shown.locator('callreel-player')
  await element.getByRole('button', { name: 'Play' }).click()
  await element.getByText('The provider sent a file that is not audio.').waitFor()
  await w.faults(broken.recording_sid, [])
  await w.api('POST', `/api/recordings/${broken.recording_sid}/retry`)
  await w.until(broken.recording_sid, 'ready')
  await element.getByRole('button', { name: 'Check again' }).click()
  await eventually(async () => (await audioOf(element)).time > 0, 'it sounds')
  await context.close()
})

test('an altered URL is refused in words', async () => {
  const { context, shown } = await embed(ready.recording_sid)
  const element = shown.locator('callreel-player')
  await element.evaluate((it) => it.setAttribute('src', it.getAttribute('src').replace(/.$/, (last) => (last === '0' ? '1' : '0'))))
  await element.getByRole('button', { name: 'Play' }).click()
  await element.getByText('This link is no longer valid').waitFor()
  await context.close()
})

test('a page of an origin that may not frame it sees nothing of it', async () => {
  const context = await w.browser.newContext()
  const shown = await context.newPage()
  const stranger = http.createServer((_, answer) => answer.writeHead(200, { 'Content-Type': 'text/html' }).end(`<iframe src="${w.base}/embed/${ready.recording_sid}"></iframe>`))
  stranger.listen(0, '127.0.0.1')
  await once(stranger, 'listening')
  const refused = shown.waitForEvent('console', (message) => message.text().includes('frame-ancestors'))
  await shown.goto(`http://localhost:${stranger.address().port}`)
  await refused
  await context.close()
  stranger.close()
})
