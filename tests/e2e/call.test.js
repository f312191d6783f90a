import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, rowOf, sounds, world } from './world.js'

let w, made
before(async () => {
  w = await world()
  made = await w.call({ seconds: 6, legs: 2, direction: 'outbound', to: '+15550199' })
  await w.until(made.recording_sid, 'ready')
})
after(() => w.stop())

test('an agent gives the customer a name where it stands, and the list has it', async () => {
  const page = await (await w.person({ role: 'agent' })).newPage()
  await page.goto('/')
  await rowOf(page, made).getByRole('link').click()
  await page.waitForURL(`**/calls/${made.call_sid}`)
  await page.getByRole('button', { name: 'Add a name' }).click()
  await page.getByLabel('Customer name').fill('Grace O’Neill')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Grace O’Neill' }).waitFor()
  await page.getByRole('button', { name: 'Add a reference' }).click()
  await page.getByLabel('Reference').fill('CRM-17')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('CRM-17').waitFor()
  const { customer_name, ref } = await (await w.api('GET', `/api/calls/${made.call_sid}`)).json()
  assert.deepEqual({ customer_name, ref }, { customer_name: 'Grace O’Neill', ref: 'CRM-17' })
  await page.getByRole('link', { name: 'All calls' }).click()
  await rowOf(page, made).getByText('Grace O’Neill').waitFor()
  await page.context().close()
})

test('the legs lead to each other', async () => {
  const page = await (await w.person({ role: 'viewer' })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await page.getByRole('link', { name: 'Other leg' }).click()
  await page.waitForURL(`**/calls/${made.child_call_sid}`)
  await page.getByRole('link', { name: 'First leg' }).waitFor()
  assert.equal(await page.getByRole('button', { name: 'Add a name' }).count(), 0, 'a viewer edits nothing')
  await page.context().close()
})

test('a shared link plays for somebody who is not signed in', async () => {
  const page = await (await w.person({ role: 'agent' })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await page.getByRole('button', { name: 'Share' }).click()
  await page.getByRole('button', { name: 'Make a link' }).click()
  const link = await page.getByLabel('Link', { exact: true }).inputValue()
  assert.match(link, new RegExp(`^${w.base}/embed/${made.recording_sid}\\?`))
  const stranger = await (await w.person({ role: null })).newPage()
  await stranger.goto(link)
  await stranger.getByRole('button', { name: 'Play' }).click()
  await eventually(() => stranger.locator('callreel-player').evaluate((it) => it.shadowRoot.querySelector('audio').currentTime > 0), 'it sounds')
  await page.context().close()
  await stranger.context().close()
})

test('it plays on while one looks at other pages', async () => {
  const long = await w.call({ seconds: 300 }) // it does not end while a slow machine draws the other page
  await w.until(long.recording_sid, 'ready')
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await rowOf(page, long).locator('.play').click()
  await sounds(page)
  await rowOf(page, long).getByRole('link').click()
  await page.getByRole('heading', { level: 1 }).waitFor()
  assert.equal(await page.evaluate(() => document.querySelector('audio').paused), false)
  await page.context().close()
})

test('a call that is not there is told', async () => {
  const page = await (await w.person()).newPage()
  await page.goto(`/calls/CA${'0'.repeat(32)}`)
  await page.getByRole('heading', { name: 'This call does not exist' }).waitFor()
  await page.context().close()
})

for (const language of ['en', 'he']) test(`the scale of the legs is as long as their lines and stands below them, ${language}`, async () => {
  const page = await (await w.person({ chosen: { language } })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  const line = await page.locator('.leg-line').first().boundingBox()
  const scale = await page.locator('.legs-scale').boundingBox()
  assert.ok(Math.abs(line.x - scale.x) < 3 && Math.abs(line.width - scale.width) < 3, JSON.stringify({ line, scale }))
  await page.context().close()
})
