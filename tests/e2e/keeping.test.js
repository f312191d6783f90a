import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, rowOf, world } from './world.js'

let w, made
before(async () => {
  w = await world()
  made = await w.call({ seconds: 3 })
  await w.until(made.recording_sid, 'ready')
})
after(() => w.stop())

const keeping = (page, kind) => page.locator(`[data-keeping="${kind}"]`)
const retention = async (retention_days) =>
  assert.equal((await w.api('PATCH', '/api/business', { body: { retention_days } })).status, 200)

test('a recording says when it goes, warns in its last days, and shows a legal hold', async () => {
  const page = await (await w.person({ role: 'viewer' })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  assert.equal(await page.locator('[data-keeping]').count(), 0, 'it is kept for ever')
  await retention(30)
  await page.reload()
  assert.match(await keeping(page, 'until').innerText(), /^Kept until .*\d{4}\.$/)
  await retention(5)
  await page.reload()
  assert.match(await keeping(page, 'soon').innerText(), /^Will be removed on /)
  const reason = { reason: 'Case 17' }
  assert.equal((await w.api('PUT', `/api/recordings/${made.recording_sid}/hold`, { body: reason })).status, 204)
  assert.match(await keeping(page, 'held').innerText(), /^Legal hold since .*: Case 17$/, 'without a reload')
  await page.context().close()
  const hebrew = await (await w.person({ role: 'viewer', chosen: { language: 'he' } })).newPage()
  await hebrew.goto(`/calls/${made.call_sid}`)
  assert.match(await keeping(hebrew, 'held').innerText(), /^הקפאה משפטית .*: Case 17$/)
  await hebrew.context().close()
  assert.equal((await w.api('DELETE', `/api/recordings/${made.recording_sid}/hold`)).status, 204)
  await retention(null)
})

test('a deleted call leaves the list and its page while they are open', async () => {
  const gone = await w.call({ seconds: 2 })
  await w.until(gone.recording_sid, 'ready')
  const context = await w.person({ role: 'viewer' })
  const list = await context.newPage()
  await list.goto('/')
  await rowOf(list, gone).waitFor()
  const page = await context.newPage()
  await page.goto(`/calls/${gone.call_sid}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  assert.equal((await w.api('DELETE', `/api/calls/${gone.call_sid}`)).status, 204)
  await page.getByRole('heading', { name: 'This call does not exist' }).waitFor()
  await list.bringToFront()
  await eventually(async () => (await rowOf(list, gone).count()) === 0, 'the row is gone')
  assert.equal(await rowOf(list, made).count(), 1)
  await context.close()
})
