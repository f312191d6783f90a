// Makes the pictures of the README: node screenshots.js FOLDER, with the demo's calls.
import path from 'node:path'
import { eventually, pressAt, sounds, world } from './world.js'

const folder = path.resolve(process.argv[2])
const wide = { viewport: { width: 1240, height: 780 } }
const phone = { viewport: { width: 390, height: 800 }, deviceScaleFactor: 2 }

const w = await world({ demo: true })
const rows = (page, state) => page.locator(`.row[data-call]:has([data-status="${state}"])`)

/** `chosen`: language and theme. */
async function picture(name, options, chosen, prepare) {
  const context = await w.person({ options, chosen })
  const page = await context.newPage()
  await prepare(page)
  await page.evaluate(() => document.activeElement?.blur())
  await page.mouse.move(0, 0)
  await page.evaluate(() => window.scrollTo(0, 0))
  await page.screenshot({ path: path.join(folder, `${name}.png`), animations: 'disabled' })
  await context.close()
}

async function play(page, row) {
  await row.locator('.play').first().click()
  await sounds(page)
  await page.locator('.player .seek-wave').waitFor()
  // Far enough that the played part is seen, and still.
  await pressAt(page, page.locator('.player .seek'), 0.38)
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 5)
}

async function calls(page) {
  await page.goto('/')
  await rows(page, 'ready').nth(3).waitFor()
  await rows(page, 'downloading').filter({ hasText: '%' }).first().waitFor()
}

await picture('calls', wide, { language: 'en', theme: 'light' }, async (page) => {
  await calls(page)
  await rows(page, 'ready').locator('.unfold').first().click()
  await play(page, rows(page, 'ready').first())
})
await picture('calls-he', wide, { language: 'he', theme: 'dark' }, async (page) => {
  await calls(page)
  await play(page, rows(page, 'ready').nth(3))
})
await picture('call', wide, { language: 'en', theme: 'light' }, async (page) => {
  await calls(page)
  await page.locator('.row[data-call]:has(.unfold) .row-link').first().click()
  await page.locator('.legs').waitFor()
  await play(page, page.locator('.card').last())
})
await picture('health', wide, { language: 'en', theme: 'dark' }, async (page) => {
  await page.clock.install()
  await page.goto('/health')
  await eventually(async () => {
    await page.clock.runFor(2000)
    const points = await page.locator('.plot-line').first().getAttribute('points', { timeout: 1000 }).catch(() => '')
    return points.split(' ').length > 15
  }, 'the plots have a line')
})
await picture('phone', phone, { language: 'en', theme: 'light' }, async (page) => {
  await calls(page)
  await play(page, rows(page, 'ready').nth(1))
})
await picture('phone-he', phone, { language: 'he', theme: 'light' }, async (page) => {
  await calls(page)
  await page.locator('.row[data-call]:has(.unfold) .row-link').first().click()
  await page.locator('.legs').waitFor()
})
await w.stop()
