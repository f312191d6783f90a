import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { chipOf, eventually, root, rowOf, watch, world } from './world.js'

let w, ready
before(async () => {
  w = await world()
  ready = await w.call({ seconds: 4 })
  await ready.name('Maya Rosen')
  await w.until(ready.recording_sid, 'ready')
})
after(() => w.stop())

test('opening the page asks at most three things of the API and nothing for audio', async (t) => {
  const page = await (await w.person()).newPage()
  const seen = watch(page)
  await page.goto('/')
  await chipOf(page, ready).filter({ hasText: 'Ready' }).waitFor()
  await page.locator('[data-live="live"]').waitFor()
  const asked = seen.paths('/api/')
  t.diagnostic(`asked: ${asked.join(' ')}`)
  assert.deepEqual(asked.sort(), ['/api/calls', '/api/events', '/api/session'])
  assert.deepEqual(seen.audio(), [])
  assert.equal(await page.locator('audio').getAttribute('preload'), 'none')
  assert.deepEqual(seen.complaints, [])
  await page.context().close()
})

test('the policy of the page is kept: nothing was blocked by it, and it allows no foreign script', async () => {
  const page = await (await w.person()).newPage()
  await page.addInitScript(() => {
    window.blocked = []
    document.addEventListener('securitypolicyviolation', (event) => window.blocked.push(`${event.violatedDirective} ${event.blockedURI}`))
  })
  const answer = await page.goto('/')
  const policy = answer.headers()['content-security-policy']
  assert.match(policy, /script-src 'self'(;|$)/)
  assert.match(policy, /style-src 'self'(;|$)/)
  await rowOf(page, ready).getByRole('button', { name: /^Play/ }).click()
  await page.locator('.seek-wave').waitFor()
  await page.getByRole('button', { name: 'Settings and account' }).click()
  await page.getByRole('menuitemradio', { name: 'Dark' }).click()
  await page.goto('/health')
  await page.locator('.tile').first().waitFor()
  assert.deepEqual(await page.evaluate(() => window.blocked), [])
  await page.context().close()
})

const dist = (name) => readFileSync(path.join(root, 'web/dist', name))
const compressed = (name) => gzipSync(dist(name), { level: 9 }).length

test('the custom element stays small', (t) => {
  const bytes = compressed('callreel-player.js')
  t.diagnostic(`custom element ${bytes} bytes`)
  assert.ok(bytes <= 40_000, `${bytes}`)
})

for (const language of ['en', 'he']) test(`the script of the first page stays small, ${language}`, async (t) => {
  const page = await (await w.person({ chosen: { language } })).newPage()
  await page.addInitScript(() => {
    new MutationObserver((_, observer) => {
      if (!document.querySelector('.chip')) return
      window.shownAt = performance.now()
      observer.disconnect()
    }).observe(document, { childList: true, subtree: true })
  })
  const loaded = new Map()
  page.on('response', (answer) => {
    const { pathname } = new URL(answer.url())
    if (pathname.endsWith('.js')) loaded.set(pathname, answer.headers()['content-encoding'])
  })
  await page.goto('/')
  await chipOf(page, ready).waitFor()
  // Later requests are for buttons that may be pressed next.
  const before = await page.evaluate(() => performance.getEntriesByType('resource').filter((it) => it.startTime < window.shownAt).map((it) => new URL(it.name).pathname))
  const first = [...loaded].filter(([name]) => before.includes(name))
  assert.ok(first.length > 0 && first.every(([, encoding]) => encoding === 'gzip'), JSON.stringify(first))
  const bytes = first.reduce((sum, [name]) => sum + compressed(name), 0)
  t.diagnostic(`first page ${bytes} bytes of script in ${first.length} files`)
  assert.ok(bytes <= 150_000, `${bytes}`)
  await page.context().close()
})

test('six tabs are open and all still answer', async () => {
  const context = await w.person()
  const pages = await Promise.all(Array.from({ length: 6 }, () => context.newPage()))
  const streams = pages.map((page) => watch(page))
  for (const page of pages) await page.goto('/')
  await Promise.all(pages.map((page) => page.locator('[data-live="live"]').waitFor()))
  assert.equal(streams.reduce((sum, seen) => sum + seen.paths('/api/events').length, 0), 1, 'one stream for all of them')
  for (const page of pages) {
    await page.getByRole('searchbox').fill('Rosen')
    await page.waitForURL(/q=Rosen/)
    await rowOf(page, ready).waitFor()
  }
  // The tab that holds the stream closes: another one takes it over, and events still come to all.
  const leader = pages[streams.findIndex((seen) => seen.paths('/api/events').length === 1)]
  await leader.close()
  const rest = pages.filter((page) => page !== leader)
  await eventually(() => streams.reduce((sum, seen) => sum + seen.paths('/api/events').length, 0) === 2, 'another tab took the stream over')
  await ready.name('Maya Rosenthal')
  await Promise.all(rest.map((page) => rowOf(page, ready).getByText('Maya Rosenthal').waitFor()))
  await context.close()
})
