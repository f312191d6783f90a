import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { audio, chipOf, eventually, pressAt, rowOf, sounds, watch, world } from './world.js'

let w, hot, other
before(async () => {
  w = await world()
  hot = await w.call({ seconds: 30 })
  await hot.name('Maya Rosen')
  other = await w.call({ seconds: 6, channels: 2 })
  await other.name('Daniel Cohen')
  await w.until(hot.recording_sid, 'ready')
  await w.until(other.recording_sid, 'ready')
})
after(() => w.stop())

const playOf = (page, call) => rowOf(page, call).getByRole('button', { name: /^(Play|Pause)/ })
const player = (page) => page.getByRole('region', { name: 'Player' })

/** A recording of which the server knows, and that nobody has asked the provider for yet. */
async function cold(wishes) {
  const made = await w.call({ ...wishes, status: 'in-progress' })
  await w.silently(() => w.complete(made.recording_sid))
  return made
}

/** Milliseconds from a click to what the page shows of it and to the first sound. */
async function timed(page, click) {
  await page.evaluate(() => {
    const it = document.querySelector('audio')
    window.times = {}
    document.addEventListener('click', () => { window.times.click ??= performance.now() }, { capture: true, once: true })
    it.addEventListener('playing', () => { window.times.sound ??= performance.now() }, { once: true })
    new MutationObserver(() => { if (window.times.click) window.times.shown ??= performance.now() }).observe(document.body, { subtree: true, childList: true, attributes: true })
  })
  await click()
  await sounds(page)
  const { click: began, shown, sound } = await page.evaluate(() => window.times)
  return `shown after ${Math.round(shown - began)} ms, sound after ${Math.round(sound - began)} ms`
}

test('a hot recording plays, with its waveform and the length of the catalog', async (t) => {
  const page = await (await w.person()).newPage()
  const seen = watch(page)
  await page.goto('/')
  await playOf(page, hot).waitFor()
  t.diagnostic(await timed(page, () => playOf(page, hot).click()))
  await player(page).getByText('0:30').waitFor()
  await page.locator('.seek-wave').waitFor()
  assert.deepEqual(seen.paths('/api/recordings/').filter((name) => name.endsWith('/waveform')), [`/api/recordings/${hot.recording_sid}/waveform`])
  assert.deepEqual(seen.complaints, [])
  await page.context().close()
})

test('one at a time: another one opens in the same player', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await playOf(page, hot).click()
  await sounds(page)
  await playOf(page, other).click()
  await page.waitForFunction((sid) => document.querySelector('audio').currentSrc.includes(sid), other.recording_sid)
  await sounds(page)
  assert.equal(await page.evaluate(() => document.querySelectorAll('audio').length), 1)
  assert.match(await playOf(page, hot).getAttribute('aria-label'), /^Play/)
  assert.match(await playOf(page, other).getAttribute('aria-label'), /^Pause/)
  await page.context().close()
})

test('the keyboard does all: space, k, j, l and the arrows', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await playOf(page, hot).focus()
  await page.keyboard.press('Enter')
  await sounds(page)
  await page.evaluate(() => document.activeElement.blur())
  await page.keyboard.press('Space')
  await eventually(async () => (await audio(page)).paused)
  const at = (await audio(page)).time
  const moved = async (key, by, from) => {
    await page.keyboard.press(key)
    await eventually(async () => Math.abs((await audio(page)).time - (from + by)) < 0.3, `${key} moves by ${by}`)
    return (await audio(page)).time
  }
  let now = await moved('l', 10, at)
  now = await moved('l', 10, now)
  now = await moved('j', -10, now)
  now = await moved('ArrowRight', 5, now)
  now = await moved('ArrowLeft', -5, now)
  await page.getByRole('slider', { name: 'Position' }).focus()
  now = await moved('ArrowRight', 5, now)
  now = await moved('Home', -now, now)
  await page.evaluate(() => document.activeElement.blur())
  await page.keyboard.press('k')
  await sounds(page)
  // Letters are a writer's where somebody writes.
  await page.getByRole('searchbox').pressSequentially('jkl')
  assert.equal((await audio(page)).paused, false)
  assert.equal(await page.getByRole('searchbox').inputValue(), 'jkl')
  await page.context().close()
})

test('shortcuts of single keys can be switched off', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await page.getByRole('button', { name: 'Settings and account' }).click()
  await page.getByRole('menuitemcheckbox', { name: /Keyboard shortcuts/ }).click()
  await page.keyboard.press('Escape')
  await playOf(page, hot).click()
  await sounds(page)
  await page.evaluate(() => document.activeElement.blur())
  await page.keyboard.press('k')
  await page.getByRole('button', { name: 'Pause', exact: true }).click()
  await eventually(async () => (await audio(page)).paused)
  await page.context().close()
})

test('the speed is remembered', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await playOf(page, hot).click()
  await sounds(page)
  await player(page).getByLabel('Speed').selectOption('1.5')
  assert.equal((await audio(page)).rate, 1.5)
  await page.reload()
  await playOf(page, other).click()
  await sounds(page)
  assert.equal((await audio(page)).rate, 1.5)
  await page.context().close()
})

test('a download has a name that people can read', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await playOf(page, hot).click()
  const [download] = await Promise.all([page.waitForEvent('download'), player(page).getByRole('link', { name: 'Download' }).click()])
  assert.match(download.suggestedFilename(), /^\d{4}-\d\d-\d\d_\d{4}_.+Maya Rosen\.mp3$/)
  await page.context().close()
})

test('a cold recording of a provider at its usual speed plays at the first press', async (t) => {
  const made = await cold({ seconds: 30 })
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await chipOf(page, made).filter({ hasText: 'Still being recorded' }).waitFor()
  t.diagnostic(await timed(page, () => playOf(page, made).click()))
  await chipOf(page, made).filter({ hasText: 'Ready' }).waitFor()
  assert.equal((await w.sim(made.recording_sid)).downloads, 1)
  await page.context().close()
})

test('a cold recording plays while it arrives, and three listeners on it are one download', async (t) => {
  const made = await cold({ seconds: 90, faults: ['slow:60000'] })
  // In three browsers: of one browser's tabs only one sounds.
  const contexts = await Promise.all([w.person(), w.person(), w.person()])
  const pages = await Promise.all(contexts.map((context) => context.newPage()))
  for (const page of pages) {
    await page.goto('/')
    await chipOf(page, made).filter({ hasText: 'Still being recorded' }).waitFor()
  }
  assert.equal((await w.sim(made.recording_sid)).requests, 0)
  t.diagnostic(await timed(pages[0], () => playOf(pages[0], made).click()))
  for (const page of pages.slice(1)) await playOf(page, made).click()
  await Promise.all(pages.map(sounds))
  await w.until(made.recording_sid, 'ready')
  for (const page of pages) await chipOf(page, made).filter({ hasText: 'Ready' }).waitFor()
  const { downloads, complete } = await w.sim(made.recording_sid)
  assert.deepEqual({ downloads, complete }, { downloads: 1, complete: 1 })
  for (const context of contexts) await context.close()
})

test('a seek to 90 % of what still arrives plays there when those bytes come', async () => {
  const made = await cold({ seconds: 30, faults: ['slow:15000'] })
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await playOf(page, made).click()
  await sounds(page)
  await pressAt(page, page.getByRole('slider', { name: 'Position' }), 0.91)
  await page.waitForFunction(() => {
    const it = document.querySelector('audio')
    return it.currentTime > 27.2 && (it.ended || !it.paused)
  })
  assert.equal((await w.sim(made.recording_sid)).downloads, 1)
  await page.context().close()
})

test('what does not come yet is told in words, and plays by itself when it comes', async () => {
  const made = await w.call({ seconds: 8, faults: ['not_yet'] })
  const page = await (await w.person()).newPage()
  // As if the server had waited long enough at once: its answer is the same.
  await page.route('**/stream', (route) => route.fulfill({ status: 202, contentType: 'application/json', body: '{}' }), { times: 1 })
  await page.goto('/')
  await chipOf(page, made).filter({ hasText: 'Waiting for the provider' }).waitFor()
  await playOf(page, made).click()
  await player(page).getByText('It plays as soon as it arrives.').waitFor()
  await w.faults(made.recording_sid, [])
  await sounds(page)
  await page.context().close()
})
