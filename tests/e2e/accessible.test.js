import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { rowOf, sounds, world } from './world.js'

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']

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

async function judge(page, what, found) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate((only) => axe.run(document, { runOnly: only }), tags)
  for (const { id, nodes } of violations) for (const { html, failureSummary } of nodes) found.push(`${what}: ${id}\n  ${html}\n  ${failureSummary}`)
}

const languages = ['en', 'he']
const themes = ['light', 'dark']
for (const language of languages)
  for (const theme of themes)
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
      await page.locator('dialog .keys').waitFor()
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
