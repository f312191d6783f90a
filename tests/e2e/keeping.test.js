import assert from 'node:assert/strict'
import { after, afterEach, before, test } from 'node:test'
import { eventually, judged, rowOf, world } from './world.js'

let w
before(async () => {
  w = await world()
})
after(() => w.stop())

const retention = async (body) => assert.equal((await w.api('PATCH', '/api/business', { body })).status, 200)

/** A call whose recording is ready. */
async function ready(options) {
  const call = await w.call({ seconds: 2, ...options })
  await w.until(call.recording_sid, 'ready')
  return call
}

// A setting that one test made must not make others fail, whether it passed or not.
afterEach(async () => {
  await w.closePeople()
  await retention({ retention_days: null, retention_metadata_days: 0 })
  for (const hold of (await (await w.api('GET', '/api/holds')).json()).holds) {
    const path = hold.recording_sid ? `/api/recordings/${hold.recording_sid}/hold` : hold.call_sid ? `/api/calls/${hold.call_sid}/hold` : `/api/holds/${hold.hold_id}`
    assert.equal((await w.api('DELETE', path)).status, 204)
  }
})

const keeping = (page, kind) => page.locator(`[data-keeping="${kind}"]`)

test('a recording says when it goes, warns in its last days, and shows a legal hold', async () => {
  const made = await ready()
  const page = await (await w.person({ role: 'viewer' })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await page.getByRole('heading', { level: 1 }).waitFor()
  assert.equal(await page.locator('[data-keeping]').count(), 0, 'it is kept for ever')
  await retention({ retention_days: 30 })
  await page.reload()
  assert.match(await keeping(page, 'until').innerText(), /^Kept until .*\d{4}\.$/)
  await retention({ retention_days: 5 })
  await page.reload()
  assert.match(await keeping(page, 'soon').innerText(), /^Will be removed on /)
  const reason = { reason: 'Case 17' }
  assert.equal((await w.api('PUT', `/api/recordings/${made.recording_sid}/hold`, { body: reason })).status, 204)
  assert.match(await keeping(page, 'held').innerText(), /^Legal hold since .*: Case 17$/, 'without a reload')
  const hebrew = await (await w.person({ role: 'viewer', chosen: { language: 'he' } })).newPage()
  await hebrew.goto(`/calls/${made.call_sid}`)
  assert.match(await keeping(hebrew, 'held').innerText(), /^הקפאה משפטית .*: Case 17$/)
})

test('a deleted call leaves the list and its page while they are open', async () => {
  const gone = await ready()
  const other = await ready()
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
  assert.equal(await rowOf(list, other).count(), 1)
})

test('an admin holds a recording with a reason, lifts the hold, and deletes the call; others have no such buttons', async () => {
  const held = await ready()
  const agent = await (await w.person({ role: 'agent' })).newPage()
  await agent.goto(`/calls/${held.call_sid}`)
  await agent.getByRole('heading', { level: 1 }).waitFor()
  assert.equal(await agent.locator('.history').count(), 0)
  const page = await (await w.person()).newPage()
  await page.goto(`/calls/${held.call_sid}`)
  await page.getByText('Who listened').click()
  await page.getByRole('button', { name: 'Set a legal hold on this recording' }).click()
  await page.keyboard.type('Case 17/2026')
  assert.deepEqual(await judged(page, 'a hold is set'), [])
  await page.keyboard.press('Enter')
  assert.match(await keeping(page, 'held').innerText(), /^Legal hold since .*: Case 17\/2026$/)
  await page.getByRole('button', { name: 'Delete the call' }).click()
  await page.keyboard.press('Enter')
  await page.getByText('A legal hold keeps it. Remove the hold first.').waitFor()
  await page.getByRole('button', { name: 'Remove the legal hold' }).click()
  await page.keyboard.press('Enter')
  await eventually(async () => (await keeping(page, 'held').count()) === 0, 'the hold is gone')
  await page.getByRole('button', { name: 'Delete the call' }).click()
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'This call does not exist' }).waitFor()
  assert.equal((await w.api('GET', `/api/calls/${held.call_sid}`)).status, 404)
})

test('in Hebrew, a call is held and freed', async () => {
  const freed = await ready()
  const page = await (await w.person({ chosen: { language: 'he' } })).newPage()
  await page.goto(`/calls/${freed.call_sid}`)
  await page.getByText('מי האזין').click()
  await page.getByRole('button', { name: 'הקפאה משפטית של השיחה' }).click()
  await page.keyboard.type('תיק 17')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'הסרת ההקפאה המשפטית' }).click()
  assert.equal((await (await w.api('GET', '/api/holds')).json()).holds[0].reason, 'תיק 17')
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'הקפאה משפטית של השיחה' }).waitFor()
  assert.deepEqual((await (await w.api('GET', '/api/holds')).json()).holds, [])
})

test('the settings hold a number, refuse its erasure, and erase it once it is free', async () => {
  const number = '+972501234567'
  const theirs = await ready({ from: number })
  const page = await (await w.person()).newPage()
  await page.goto('/settings')
  await page.getByLabel('Telephone number, with its country code').fill(number)
  await page.getByLabel('Reason', { exact: true }).fill('A claim')
  await page.keyboard.press('Enter')
  await page.locator('.settings-table').getByText('A claim').waitFor()
  assert.deepEqual(await judged(page, 'holds in the settings'), [])
  const erase = async () => {
    await page.getByLabel("The person's number, with its country code").fill('+972 50-123-4567')
    await page.getByRole('button', { name: 'Erase', exact: true }).click()
    await page.getByRole('button', { name: 'Erase for good' }).click()
  }
  await erase()
  await page.getByText('A legal hold keeps it. Remove the hold first.').waitFor()
  const theirPage = await (await w.person()).newPage()
  await theirPage.goto(`/calls/${theirs.call_sid}`)
  await theirPage.getByText('Who listened').click()
  await theirPage.getByText('A hold on a number of the call keeps it. Remove it under Settings.').waitFor()
  assert.equal(await theirPage.getByRole('button', { name: 'Remove the legal hold' }).count(), 0)
  await page.getByRole('button', { name: `Revoke: ${number}` }).click()
  await page.keyboard.press('Enter')
  await page.getByText('There is no legal hold.').waitFor()
  await erase()
  await page.locator('[data-erasure="done"]').waitFor()
  assert.match(await page.locator('.certificate').innerText(), /Calls removed: 1\. Recordings removed: 1\./)
  assert.equal((await w.api('GET', `/api/calls/${theirs.call_sid}`)).status, 404)
})

test('the settings say how long calls are kept, and ask before a shorter time', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/settings')
  const days = page.getByRole('textbox', { name: 'as many days as:' })
  const form = page.locator('form', { has: days })
  const kept = async () => (await (await w.api('GET', '/api/business')).json()).retention_metadata_days
  assert.equal(await form.getByRole('radio', { name: 'for ever' }).isChecked(), true)
  await days.fill('400')
  await form.getByRole('button', { name: 'Save' }).click()
  await form.getByRole('alert').getByText('Calls older than 400 days will be removed for good').waitFor()
  assert.equal(await kept(), 0, 'it asks before')
  assert.deepEqual(await judged(page, 'a shorter time for calls is asked for'), [])
  await form.getByRole('button', { name: 'Keep for a shorter time' }).click()
  await eventually(async () => (await kept()) === 400, '400 days')
  await form.getByRole('radio', { name: 'for ever' }).check()
  await form.getByRole('button', { name: 'Save' }).click()
  await eventually(async () => (await kept()) === 0, 'for ever')
  const hebrew = await (await w.person({ chosen: { language: 'he' } })).newPage()
  await hebrew.goto('/settings')
  await hebrew.getByRole('group', { name: 'השיחות נשמרות' }).waitFor()
})
