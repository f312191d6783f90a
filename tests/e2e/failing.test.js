import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { chipOf, rowOf, sounds, world } from './world.js'

let w, broken
before(async () => {
  w = await world()
  broken = await w.call({ seconds: 6, faults: ['xml'] })
  await broken.name('Peter Lindqvist')
  await w.until(broken.recording_sid, 'failed')
})
after(() => w.stop())

const player = (page) => page.getByRole('region', { name: 'Player' })

test('a failed recording says why and when it is tried again; tried again, it plays', async () => {
  const page = await (await w.person({ role: 'agent' })).newPage()
  await page.goto('/')
  await chipOf(page, broken).filter({ hasText: /Failed, next try in \d+/ }).waitFor()
  await rowOf(page, broken).getByRole('button', { name: /^Play/ }).click()
  await player(page).getByText('The provider sent a file that is not audio.').waitFor()
  await player(page).getByText(/The next try is in/).waitFor()
  await w.faults(broken.recording_sid, [])
  await player(page).getByRole('button', { name: /^Try again/ }).click()
  await sounds(page)
  await chipOf(page, broken).filter({ hasText: 'Ready' }).waitFor()
  await page.context().close()
})

test('a viewer may look again, not try again', async () => {
  const made = await w.call({ seconds: 6, faults: ['xml'] })
  await w.until(made.recording_sid, 'failed')
  const page = await (await w.person({ role: 'viewer' })).newPage()
  await page.goto(`/calls/${made.call_sid}`)
  await page.locator('.card').getByText('The provider sent a file that is not audio.').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Try again' }).count(), 0)
  await page.getByRole('button', { name: /^Play/ }).click()
  await player(page).getByRole('button', { name: /^Check again/ }).waitFor()
  await page.context().close()
})

test('an admin sees why recordings fail and tries all of one reason again', async () => {
  const made = await w.call({ seconds: 6, faults: ['header_only'] })
  await w.until(made.recording_sid, 'failed')
  const page = await (await w.person()).newPage()
  await page.goto('/health')
  await page.locator('[data-warning="warnFailed"]').waitFor()
  const row = page.locator('[data-code="not_audio"]')
  await row.getByText('The provider sent a file that is not audio.').waitFor()
  await w.faults(made.recording_sid, [])
  await row.getByRole('button', { name: /^Try all again/ }).click()
  await page.getByText(/recordings? (is|are) queued again\./).waitFor()
  await w.until(made.recording_sid, 'ready')
  await page.context().close()
})

test('health is for admins', async () => {
  const page = await (await w.person({ role: 'agent' })).newPage()
  await page.goto('/health')
  await page.getByRole('heading', { name: 'This page is for administrators' }).waitFor()
  assert.equal(await page.getByRole('link', { name: 'Health' }).count(), 0)
  await page.context().close()
})

test('the service that does not answer is told, with a way to try again', async () => {
  const page = await (await w.person()).newPage()
  await page.clock.install()
  let refuse = true
  await page.route('**/api/calls?*', (route) =>
    refuse
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: JSON.stringify({ code: 'database_unavailable' }) })
      : route.continue())
  await page.goto('/')
  for (let i = 0; i < 5; i++) await page.clock.runFor(3000)
  await page.getByRole('alert').getByText(/can't reach its database/).waitFor()
  refuse = false
  await page.getByRole('button', { name: 'Try again' }).click()
  await rowOf(page, broken).waitFor()
  await page.context().close()
})
