// A recording that was shared by a link: the player alone, on a card.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, near, pressAt, watch, world } from './world.js'

let w, long
before(async () => {
  w = await world()
  long = await w.call({ seconds: 60, channels: 2, direction: 'inbound', start_time: '2025-03-03T10:00:00Z' })
  await long.name('Maya Rosen')
  await w.until(long.recording_sid, 'ready')
})
after(() => w.stop())

const sign = async (sid) => new URL((await (await w.api('POST', `/api/recordings/${sid}/url?ttl=600`)).json()).url, w.base).search
const soundOf = (page) => page.locator('callreel-player').evaluate((it) => {
  const { paused, currentTime } = it.shadowRoot.querySelector('audio')
  return { paused, time: currentTime }
})
/** Of the element: its <audio> is in a shadow. */
const noteSeeksOfElement = (it) => {
  window.seeks = []
  it.shadowRoot.querySelector('audio').addEventListener('seeking', (event) => window.seeks.push(event.target.currentTime))
}

test('a shared link shows the sides as its sender sees them, whatever the other one swapped', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto(`/calls/${long.call_sid}`)
  const sides = (within) => within.locator('.cr-side').evaluateAll((all) => all.map((it) => it.textContent.replace(/ ?\d+%/, '')).slice(0, 2).join())
  const share = async () => {
    await page.getByRole('button', { name: 'Share' }).click()
    await page.getByRole('button', { name: 'Make a link' }).click()
    const link = await page.locator('dialog input').first().inputValue()
    assert.match(await page.locator('dialog textarea').inputValue(), /direction="inbound" swapped="(true|false)"/)
    await page.locator('dialog').getByRole('button', { name: 'Close' }).click()
    return link
  }
  const plain = await share()
  await page.locator('.card').getByRole('button', { name: /^Play/ }).click()
  await page.getByRole('region', { name: 'Player' }).getByRole('button', { name: 'How to listen' }).click()
  await page.getByRole('switch', { name: 'Swap agent and customer' }).check()
  const swapped = await share()
  for (const someone of [context, await w.browser.newContext({ baseURL: w.base, locale: 'en-GB' })])
    for (const [link, wanted] of [[plain, 'Customer,Agent'], [swapped, 'Agent,Customer']]) {
      const shared = await someone.newPage()
      await shared.goto(link)
      await shared.locator('callreel-player .cr-side').first().waitFor()
      assert.equal(await sides(shared.locator('callreel-player .cr-line')), wanted)
      await shared.close()
    }
  await context.close()
})

test('a shared link is a card: who, when, how long, until when; the mouse, drags and keys seek in it', async () => {
  const context = await w.browser.newContext({ baseURL: w.base, locale: 'en-GB' })
  const page = await context.newPage()
  const seen = watch(page)
  await page.goto(`/embed/${long.recording_sid}${await sign(long.recording_sid)}&t=12&dir=inbound`)
  await page.getByRole('heading', { name: 'Call recording' }).waitFor()
  await page.getByText('1:00').first().waitFor()
  const facts = await page.locator('.facts > div').evaluateAll((all) => all.map((it) => it.children).map(([dt, dd]) => [dt.textContent, dd.textContent.replaceAll(/[\u2068\u2069]/g, '')]))
  assert.deepEqual(facts.map(([name]) => name), ['Shared by', 'Recorded', 'Length', 'Link valid until'])
  assert.deepEqual([facts[0][1], facts[2][1]], ['Harbour Clinic', '1:00'])
  assert.match(facts[1][1], /2025/)
  const card = page.locator('callreel-player')
  await card.getByText('Customer').first().waitFor()
  assert.deepEqual(seen.audio().filter(({ url }) => !url.pathname.endsWith('/waveform')), [])
  await card.evaluate(noteSeeksOfElement)
  await card.getByRole('button', { name: 'Play', exact: true }).click()
  await eventually(async () => (await soundOf(page)).time > 12, 'it begins at t')
  const seek = card.getByRole('slider', { name: 'Position' })
  await pressAt(page, seek, 0.5)
  await near(page, 30)
  const box = await seek.boundingBox()
  await page.mouse.move(box.x + box.width * 0.5, box.y + 10)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.7, box.y + 10, { steps: 4 })
  const before = (await soundOf(page)).time
  await eventually(async () => (await soundOf(page)).time > before + 0.4, 'it plays on')
  await page.mouse.up()
  await near(page, 42, 'the drag')
  await seek.focus()
  await page.keyboard.press('Space')
  await eventually(async () => (await soundOf(page)).paused)
  const { time } = await soundOf(page)
  await page.keyboard.press('ArrowRight')
  await eventually(async () => Math.abs((await soundOf(page)).time - time - 5) < 0.5)
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('a shared link fits a phone, also with its panel open and with text twice as large', async () => {
  const context = await w.browser.newContext({ baseURL: w.base, locale: 'en-GB' })
  const page = await context.newPage()
  await page.goto(`/embed/${long.recording_sid}${await sign(long.recording_sid)}&dir=inbound`)
  const card = page.locator('callreel-player')
  await card.getByText('Customer').first().waitFor()
  await card.getByRole('button', { name: 'How to listen' }).click()
  for (const width of [320, 390, 820])
    for (const percent of [100, 200]) {
      await page.setViewportSize({ width, height: 800 })
      await page.evaluate((size) => { document.documentElement.style.fontSize = size }, `${percent}%`)
      const outside = await card.evaluate((it) => {
        const own = it.getBoundingClientRect()
        return [...it.shadowRoot.querySelectorAll('button, a, input, select, label')].filter((one) => {
          const { left, right, width } = one.getBoundingClientRect()
          return width > 0 && (left < own.left - 1 || right > own.right + 1)
        }).map((one) => one.getAttribute('aria-label') ?? one.textContent)
      })
      assert.deepEqual(outside, [], `${width} px, ${percent} %`)
      assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${width} px, ${percent} %, not wider`)
    }
  await context.close()
})

test('a shared link that was revoked says so, and one that is altered too', async () => {
  const context = await w.browser.newContext({ baseURL: w.base, locale: 'en-GB' })
  const page = await context.newPage()
  const search = await sign(long.recording_sid)
  await page.goto(`/embed/${long.recording_sid}${search.replace('sig=', 'sig=x')}`)
  await page.getByRole('alert').getByText('This link is no longer valid.').waitFor()
  await w.api('DELETE', `/api/urls/${new URLSearchParams(search).get('id')}`)
  await page.goto(`/embed/${long.recording_sid}${search}&lang=he`)
  await page.getByRole('alert').getByText('תוקף הקישור פג.').waitFor()
  assert.equal(await page.locator('callreel-player').count(), 0)
  await page.goto(`/embed/${long.recording_sid}`)
  await page.getByRole('alert').getByText('You are not signed in').waitFor()
  const open = await sign(long.recording_sid)
  await page.goto(`/embed/${long.recording_sid}${open}`)
  const card = page.locator('callreel-player')
  await card.locator('.cr-sides').first().waitFor()
  await w.api('DELETE', `/api/urls/${new URLSearchParams(open).get('id')}`)
  await eventually(async () => (await fetch(`${w.base}/api/recordings/${long.recording_sid}/card${open}`)).status === 401)
  for (const press of ['Download', 'Play'])  {
    await card.getByRole(press === 'Play' ? 'button' : 'link', { name: press, exact: true }).click()
    await card.getByText('This link is no longer valid.').waitFor()
  }
  await context.close()
})

test('the element builds nothing from what is not http or https', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto(`/embed/${long.recording_sid}`)
  const built = await page.evaluate(() => {
    const good = '/api/recordings/RE0/stream?sig=x'
    const bad = ['javascript:alert(1)', ' JavaScript:alert(1)', 'java\nscript:alert(1)', 'data:audio/wav,x', 'blob:https://a.example/1',
      'file:///etc/passwd', 'http://', 'https://user:pass@a.example/x', '//user@a.example/x']
    const countOf = (it) => it.shadowRoot.childElementCount
    const it = document.createElement('callreel-player')
    document.body.append(it)
    const set = (src) => {
      it.setAttribute('src', src)
      return [countOf(it), it.shadowRoot.querySelector('a')?.protocol ?? null]
    }
    return bad.map((src) => [set(src), set(good)[0] > 0])
  })
  for (const [left, again] of built) assert.deepEqual([left, again], [[0, null], true])
  await context.close()
})
