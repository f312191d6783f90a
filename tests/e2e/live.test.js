import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { chipOf, eventually, rowOf, see, watch, world } from './world.js'

let w, first
before(async () => {
  w = await world()
  first = await w.call({ seconds: 4, start_time: '2025-03-01T10:00:00Z' })
  await first.name('Olivia Grant')
  await w.until(first.recording_sid, 'ready')
})
after(() => w.stop())

const live = (page, state) => page.locator(`[data-live="${state}"]`).waitFor()
const sameDocument = (page) => page.evaluate(() => { window.same = true })
const isSame = (page) => page.evaluate(() => window.same === true)
const rows = (page) => page.locator('.row[data-call]')

/** The next answer with a list is read, and held until it is released. */
function heldList(page) {
  const list = {}
  list.held = new Promise((resolve) =>
    page.route('**/api/calls?*', async (route) => {
      const response = await route.fetch()
      await new Promise((go) => { list.release = go; resolve() })
      return route.fulfill({ response })
    }, { times: 1 }))
  return list
}

test('a new call shows up by itself, and its chip goes from arriving to ready without a reload', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await live(page, 'live')
  await sameDocument(page)
  const made = await w.call({ seconds: 20, faults: ['slow:16000'] })
  await chipOf(page, made).filter({ hasText: /Arriving \d+/ }).waitFor()
  await chipOf(page, made).filter({ hasText: 'Ready' }).waitFor()
  assert.equal(await isSame(page), true)
  assert.equal(await rows(page).first().getAttribute('data-call'), made.call_sid)
  await page.context().close()
})

test('news that come while the next page of the list is asked for stay', async () => {
  const page = await (await w.person()).newPage()
  let release
  const asked = new Promise((resolve) =>
    page.route('**/api/calls?*', async (route) => {
      if (new URL(route.request().url()).searchParams.has('cursor')) {
        await new Promise((go) => { release = go; resolve() })
        return route.fulfill({ json: { calls: [], next_cursor: null } })
      }
      const answer = await route.fetch()
      return route.fulfill({ response: answer, json: { ...(await answer.json()), next_cursor: 'more' } })
    }))
  await page.goto('/')
  await live(page, 'live')
  await asked
  await first.name('Olivia Grant-Hall')
  await rowOf(page, first).getByText('Olivia Grant-Hall').waitFor()
  const made = await w.call({ seconds: 1, recording: false })
  await rowOf(page, made).waitFor()
  release()
  await page.getByText('End of the list.').waitFor()
  assert.equal(await rowOf(page, made).isVisible(), true)
  assert.equal(await rowOf(page, first).getByText('Olivia Grant-Hall').isVisible(), true)
  await first.name('Olivia Grant')
  await page.context().close()
})

for (const alone of [true, false])
  test(`news that come while the list is asked for are not missed, ${alone ? 'with a stream of its own' : 'with that of another tab'}`, async () => {
    const context = await w.person()
    const other = await (alone ? await w.person() : context).newPage()
    await other.goto('/')
    await live(other, 'live')
    await rowOf(other, first).waitFor()
    const page = await context.newPage()
    const list = heldList(page)
    await page.goto('/')
    await list.held
    await first.name('Olivia Grant-Moss')
    await rowOf(other, first).getByText('Olivia Grant-Moss').waitFor()
    list.release()
    await rowOf(page, first).getByText('Olivia Grant-Moss').waitFor()
    await first.name('Olivia Grant')
    await other.context().close()
    await context.close()
  })

test('rows do not move under a reader who is further down: a button tells of new calls', async () => {
  for (let i = 0; i < 25; i++) await w.call({ seconds: 1, recording: false })
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await live(page, 'live')
  await rows(page).nth(5).waitFor()
  await page.mouse.wheel(0, 700)
  await page.waitForFunction(() => window.scrollY > 300)
  const second = Math.floor(Date.now() / 1000) // calls of one second stand in the order of their SIDs
  await eventually(() => Math.floor(Date.now() / 1000) > second, 'the new call begins later than the others')
  const made = await w.call({ seconds: 2 })
  await page.getByRole('button', { name: '1 new call' }).click()
  await rowOf(page, made).waitFor()
  assert.equal(await page.evaluate(() => window.scrollY), 0)
  await page.context().close()
})

for (const late of ['frame', 'scroll event'])
  test(`what comes while new calls are being shown stays, with a late ${late}`, async () => {
    const page = await (await w.person()).newPage()
    await page.addInitScript(() => {
      const frame = window.requestAnimationFrame.bind(window)
      const frames = []
      window.late = null
      window.requestAnimationFrame = (f) => (window.late ? frames.push(f) : frame(f))
      window.addEventListener('scroll', (event) => window.late === 'scroll event' && event.stopImmediatePropagation(), true)
      window.goOn = () => {
        const was = window.late
        window.late = null
        if (was === 'scroll event') window.dispatchEvent(new Event('scroll'))
        return new Promise((done) => frame(() => { for (const f of frames) f(); frame(done) }))
      }
    })
    await page.goto('/')
    await live(page, 'live')
    await rows(page).nth(5).waitFor()
    await page.mouse.wheel(0, 1000)
    await page.waitForFunction(() => window.scrollY > 600)
    const before = await w.call({ seconds: 1, recording: false })
    const button = page.getByRole('button', { name: /new call/ })
    await button.waitFor()
    const list = heldList(page)
    const made = await w.call({ seconds: 1, recording: false })
    await list.held
    const answered = page.waitForResponse('**/api/calls?*').then((answer) => answer.finished())
    await page.evaluate((late) => { window.late = late }, late)
    await button.click()
    list.release()
    await answered
    await (late === 'frame' ? rowOf(page, made) : page.getByText('2 new calls')).waitFor()
    await page.evaluate(() => window.goOn())
    await rowOf(page, before).waitFor()
    await rowOf(page, made).waitFor()
    assert.equal(await page.evaluate(() => window.scrollY), 0)
    await page.context().close()
  })

test('news that could not be looked at are looked at again', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await live(page, 'live')
  await rows(page).first().waitFor()
  let refused = 0
  await page.route('**/api/calls?*', (route) => {
    refused++
    return route.fulfill({ status: 503, json: { code: 'busy', status: 503 } })
  })
  const made = await w.call({ seconds: 1, recording: false })
  await eventually(() => refused > 0, 'the look was refused')
  await page.unroute('**/api/calls?*')
  await rowOf(page, made).waitFor()
  await page.context().close()
})

test('changes are said aloud', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await live(page, 'live')
  const made = await w.call({ seconds: 20, faults: ['slow:40000'] })
  await made.name('Hannah Weiss')
  await page.getByRole('status').filter({ hasText: 'The recording of Hannah Weiss is ready.' }).waitFor({ state: 'attached' })
  await page.context().close()
})

test('what an answer of the list is too old to know stays as it was told', async () => {
  const known = await w.call({ seconds: 1, recording: false })
  await known.name('Joanna Reid')
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await live(page, 'live')
  await rowOf(page, known).getByText('Joanna Reid').waitFor()
  const list = heldList(page)
  const made = await w.call({ seconds: 1, recording: false }) // for it the list is asked again
  await list.held
  await known.name('Joanna Reid-Moss')
  await rowOf(page, known).getByText('Joanna Reid-Moss').waitFor()
  list.release()
  await rowOf(page, made).waitFor()
  assert.equal(await rowOf(page, known).getByText('Joanna Reid-Moss').isVisible(), true)
  await page.context().close()
})

test('two recordings of a call that change at once are both seen to change', async () => {
  const made = await w.call({ seconds: 2, faults: ['not_yet'] })
  const { recording_sid: second } = await w.further(made.call_sid, { seconds: 3, faults: ['not_yet'] })
  const page = await (await w.person()).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await live(page, 'live')
  const cards = page.locator('.card .chip')
  await cards.nth(1).waitFor()
  for (const sid of [made.recording_sid, second]) await w.faults(sid, [])
  for (const n of [0, 1]) await cards.nth(n).filter({ hasText: 'Ready' }).waitFor()
  await page.context().close()
})

test('what happens between a read of a call and the opening of the stream is seen on its page', async () => {
  const made = await w.call({ seconds: 1 })
  await w.until(made.recording_sid, 'ready')
  const page = await (await w.person()).newPage()
  let open
  const mayOpen = new Promise((resolve) => { open = resolve })
  await page.route('**/api/events*', async (route) => {
    await mayOpen
    return route.continue()
  })
  await page.goto(`/calls/${made.call_sid}`)
  await page.getByText('Notes').first().waitFor()
  await page.waitForLoadState('load')
  const note = { text: 'Calls back on Monday', at: 0.5 }
  assert.equal((await w.api('POST', `/api/recordings/${made.recording_sid}/notes`, { body: note })).status, 201)
  assert.equal((await w.api('PUT', `/api/recordings/${made.recording_sid}/hold`, { body: { reason: 'Case 17' } })).status, 204)
  open()
  await page.locator('[data-keeping="held"]').waitFor()
  await page.getByText('Calls back on Monday').first().waitFor()
  await page.context().close()
})

test('without a stream the page looks now and then', async () => {
  const page = await (await w.person()).newPage()
  await page.route('**/api/events*', (route) => route.abort())
  const made = await w.call({ seconds: 4, faults: ['not_yet'] })
  await page.goto('/')
  await live(page, 'polling')
  await chipOf(page, made).filter({ hasText: 'Waiting for the provider' }).waitFor()
  await w.faults(made.recording_sid, [])
  await chipOf(page, made).filter({ hasText: 'Ready' }).waitFor()
  await page.context().close()
})

test('without a stream it looks ten times, then leaves it to a button', async () => {
  const made = await w.call({ seconds: 5, faults: ['hang'] })
  const page = await (await w.person()).newPage()
  const seen = watch(page)
  await page.clock.install()
  await page.route('**/api/events*', (route) => route.abort())
  await page.goto('/')
  await page.clock.runFor(1000)
  await chipOf(page, made).filter({ hasText: 'Waiting' }).waitFor()
  const looks = () => seen.paths('/api/calls').length - 1
  const stopped = page.getByText('Updates have stopped.')
  await eventually(async () => {
    await page.clock.runFor(1000)
    return stopped.isVisible()
  }, 'it gave up')
  assert.equal(looks(), 10)
  await page.clock.runFor(60_000)
  assert.equal(looks(), 10)
  await page.getByRole('button', { name: 'Check again' }).click()
  await eventually(() => looks() === 11, 'it looked once more')
  await w.faults(made.recording_sid, [])
  await page.context().close()
})

test('a page that is hidden for a minute gives its stream up and catches up when it is seen', async () => {
  const page = await (await w.person()).newPage()
  const seen = watch(page)
  await page.clock.install()
  await page.goto('/')
  await page.clock.runFor(1000)
  await live(page, 'live')
  const ended = page.waitForEvent('requestfailed', (request) => new URL(request.url()).pathname === '/api/events')
  await see(page, false)
  await page.clock.runFor(61_000)
  await ended
  const made = await w.call({ seconds: 2 })
  await w.until(made.recording_sid, 'ready')
  assert.equal(await rowOf(page, made).count(), 0)
  await see(page, true)
  await page.clock.runFor(2000)
  await chipOf(page, made).filter({ hasText: 'Ready' }).waitFor()
  assert.equal(seen.paths('/api/events').length, 2)
  await page.context().close()
})

test('offline is told, and mended when the network is back', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto('/')
  await live(page, 'live')
  await context.setOffline(true)
  await page.getByText('You are offline.').waitFor()
  await context.setOffline(false)
  await page.getByText('You are offline.').waitFor({ state: 'detached' })
  await context.close()
})
