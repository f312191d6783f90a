import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { judged, rowOf, sounds, world } from './world.js'

let w, two, failed
before(async () => {
  w = await world()
  two = await w.call({ seconds: 8, legs: 2, direction: 'outbound' })
  await two.name('נועה לוי')
  await w.further(two.call_sid, { seconds: 3 })
  failed = await w.call({ seconds: 4, faults: ['xml'] })
  await w.call({ seconds: 4, faults: ['not_yet'] })
  await w.call({ seconds: 60, faults: ['slow:500'] })
  await w.call({ seconds: 3, status: 'absent' })
  await w.call({ seconds: 0, call_status: 'no-answer' })
  await w.until(two.recording_sid, 'ready')
  await w.until(failed.recording_sid, 'failed')
})
after(() => w.stop())

const languages = ['en', 'he']
const judge = async (page, what, found) => found.push(...(await judged(page, what)))

// Both languages and both themes: a colour does not depend on the language.
for (const [language, theme] of [['en', 'light'], ['he', 'dark']])
  test(`axe finds nothing in ${language}, ${theme}`, async () => {
    const found = []
    const context = await w.person({ chosen: { language, theme } })
    const page = await context.newPage()
    await page.goto('/')
    await rowOf(page, two).waitFor()
    assert.equal(await page.locator('html').getAttribute('dir'), language === 'he' ? 'rtl' : 'ltr')
    await judge(page, 'calls', found)
    await rowOf(page, two).locator('.unfold').click()
    await rowOf(page, two).locator('.play').click()
    await sounds(page)
    await page.locator('.seek-wave').waitFor()
    await judge(page, 'calls, playing', found)
    await rowOf(page, failed).locator('.play').click()
    await page.locator('.player-trouble').waitFor()
    await judge(page, 'calls, with a trouble', found)
    await page.locator('.cr-tools [aria-expanded]').click()
    await judge(page, 'how to listen', found)
    await page.keyboard.press('Escape')
    await page.keyboard.press('Shift+Slash')
    await page.locator('dialog .keys').last().waitFor()
    await judge(page, 'keys', found)
    await page.keyboard.press('Escape')
    await page.locator('[aria-haspopup="menu"]').click()
    await page.getByRole('menu').waitFor()
    await judge(page, 'menu', found)
    await page.keyboard.press('Escape')
    await page.goto(`/calls/${two.call_sid}`)
    await page.locator('.card').first().waitFor()
    await page.locator('.legs').waitFor()
    await judge(page, 'call', found)
    await page.locator('.call-head .edit button').click()
    await judge(page, 'call, edited', found)
    await page.keyboard.press('Escape')
    await page.locator('.card .card-actions button').first().click()
    await page.locator('dialog .primary').click()
    await page.locator('dialog textarea').waitFor()
    await judge(page, 'sharing', found)
    await page.goto('/health')
    await page.locator('.tile').first().waitFor()
    await judge(page, 'health', found)
    await page.goto('/?q=nobody')
    await page.locator('.notice').waitFor()
    await judge(page, 'nothing found', found)
    await page.setViewportSize({ width: 360, height: 740 })
    await page.goto('/')
    await rowOf(page, two).waitFor()
    await page.locator('.filters-toggle').click()
    await judge(page, 'calls on a phone', found)
    await page.goto(`/embed/${two.recording_sid}`)
    await page.locator('callreel-player .cr-play').waitFor()
    await judge(page, 'embedded', found)
    await context.clearCookies()
    await page.goto('/')
    await page.locator('.signin').waitFor()
    await judge(page, 'sign in', found)
    assert.deepEqual(found, [])
    await context.close()
  })

const signed = async (sid) => new URL((await (await w.api('POST', `/api/recordings/${sid}/url`)).json()).url, w.base).search
const link = () => /token=[\w-]+/.exec(w.run('signin', '--business', '1', '--role', 'agent'))[0]

// The pages for somebody who was never signed in, is no longer signed in, or opens a wrong address.
for (const [language, theme] of [['en', 'light'], ['he', 'dark']])
  test(`axe finds nothing on the pages outside in ${language}, ${theme}`, async () => {
    const found = []
    const options = { locale: language === 'he' ? 'he-IL' : 'en-GB', colorScheme: theme }
    const context = await w.person({ role: null, options, chosen: { language, theme } })
    const page = await context.newPage()
    const look = async (what, where, selector) => {
      if (where) await page.goto(where)
      await page.locator(selector).first().waitFor()
      await judge(page, what, found)
    }
    await look('signed out', '/signed-out', '.signin')
    await page.locator('.signin input').fill('cr_wrong')
    await page.keyboard.press('Enter')
    await look('a wrong key', null, '.signin [role="alert"]')
    const used = link()
    await look('a link', `/signin?${used}`, 'form')
    await page.locator('form button').first().click()
    await rowOf(page, two).waitFor()
    await look('an unknown address', '/nothing/here', '.notice')
    await look('an unknown call', `/calls/CA${'0'.repeat(32)}`, '.notice')
    await look('a link while somebody is signed in', `/signin?${link()}`, 'form')
    await context.request.delete('/api/session')
    await look('a used link', `/signin?${used}`, 'form')
    await look('an unknown address, signed out', '/nothing/here', 'h1')
    const query = `${await signed(two.recording_sid)}&lang=${language}&dir=inbound`
    await look('the card of a shared link', `/embed/${two.recording_sid}${query}`, '.facts')
    await page.locator('callreel-player .seek-wave').waitFor()
    await judge(page, 'the card, drawn', found)
    await page.locator('callreel-player .cr-play').click()
    await page.waitForFunction(() => document.querySelector('callreel-player').shadowRoot.querySelector('audio').currentTime > 0)
    await page.locator('callreel-player [aria-expanded]').click()
    await judge(page, 'the card, playing, how to listen', found)
    await look('a card no longer valid', `/embed/${two.recording_sid}${query.replace('sig=', 'sig=x')}`, '.late')
    await look('the card of a failed recording', `/embed/${failed.recording_sid}${await signed(failed.recording_sid)}&lang=${language}`, '.facts')
    await page.locator('callreel-player .cr-play').click()
    await look('the card, with a trouble', null, 'callreel-player .trouble')
    await page.setContent(`<!doctype html><html lang="${language}" style="color-scheme: light dark"><title>CRM</title><main><h1>CRM</h1>
      <iframe title="A recording" src="${w.base}/embed/${failed.recording_sid}${await signed(failed.recording_sid)}&lang=${language}"></iframe></main></html>`)
    const frame = page.frameLocator('iframe')
    await frame.locator('.cr-play').click()
    await frame.locator('.trouble').waitFor()
    found.push(...(await judged(page.frames()[1], 'the frame, with a trouble')))
    assert.deepEqual(found, [])
    await context.close()
    const inside = await w.person({ options, chosen: { language, theme } })
    const open = await inside.newPage()
    await open.goto('/')
    await rowOf(open, two).waitFor()
    await inside.request.delete('/api/session')
    // Not by the mouse: the end of its event stream may have brought the dialog before the row already.
    await rowOf(open, two).locator('.row-link').dispatchEvent('click')
    await open.locator('dialog.expired').waitFor()
    assert.deepEqual(await judged(open, 'an expired session'), [])
    await inside.close()
  })

test('both languages speak, and numbers stay left to right in Hebrew', async () => {
  const page = await (await w.person({ options: { locale: 'he-IL' } })).newPage()
  await page.goto('/')
  await rowOf(page, two).getByText('מוכנה').first().waitFor()
  await rowOf(page, failed).getByText(/נכשלה, ניסיון נוסף/).waitFor()
  const number = rowOf(page, failed).locator('.number').first()
  assert.equal(await number.getAttribute('dir'), 'ltr')
  await page.getByRole('button', { name: 'הגדרות וחשבון' }).click()
  await page.getByRole('menuitemradio', { name: 'English' }).click()
  await page.keyboard.press('Escape')
  await rowOf(page, two).getByText('Ready').first().waitFor()
  assert.equal(await page.locator('html').getAttribute('dir'), 'ltr')
  await page.context().close()
})

test('no page is wider than a phone', async () => {
  for (const language of languages) {
    const page = await (await w.person({ options: { viewport: { width: 320, height: 640 } }, chosen: { language } })).newPage()
    const fits = (what) => page.evaluate(() => document.documentElement.scrollWidth).then((width) => assert.ok(width <= 320, `${what} in ${language}: ${width}`))
    await page.goto('/')
    await rowOf(page, two).waitFor()
    await fits('calls')
    await rowOf(page, two).locator('.play').click()
    await page.locator('.player').waitFor()
    await fits('player')
    await page.goto(`/calls/${two.call_sid}`)
    await page.locator('.card').first().waitFor()
    await fits('call')
    await page.goto('/health')
    await page.locator('.tile').first().waitFor()
    await fits('health')
    await page.context().close()
  }
})

test('the keyboard alone gets everywhere, and its place is seen', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await rowOf(page, two).waitFor()
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.className), 'skip')
  await page.keyboard.press('Enter')
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main')
  const reached = new Set()
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab')
    const at = await page.evaluate(() => {
      const it = document.activeElement
      const seen = getComputedStyle(it).outlineStyle !== 'none' || getComputedStyle(it, '::after').outlineStyle !== 'none'
      return { what: it.className || it.type || it.tagName, seen }
    })
    if (at.what === 'BODY') break
    assert.ok(at.seen, `${at.what} shows its focus`)
    reached.add(at.what)
  }
  for (const what of ['search', 'play play-still', 'row-link', 'icon-button unfold']) assert.ok(reached.has(what), `${what} in ${[...reached]}`)
  await page.context().close()
})
