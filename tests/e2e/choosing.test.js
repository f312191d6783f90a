// Several calls are chosen, and something is done to all of them.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { after, afterEach, before, test } from 'node:test'
import { eventually, judged, rowOf, watch, world } from './world.js'

let w
const calls = []
before(async () => {
  w = await world()
  // The newest is the first row: three recorded calls, one that nobody answered.
  for (const [i, wishes] of [{}, {}, {}, { recording: false, call_status: 'no-answer' }].entries()) {
    const start_time = `2025-03-0${9 - i}T10:00:00Z`
    calls.push(await w.call({ seconds: 2, direction: 'inbound', start_time, ...wishes }))
  }
  for (const { recording_sid } of calls.slice(0, 3)) await w.until(recording_sid, 'ready')
  for (const [i, name] of ['Maya Rosen', '=Dan', 'יעל כהן'].entries()) await calls[i].name(name)
})
after(() => w.stop())
afterEach(() => w.closePeople())

const box = (page, call) => rowOf(page, call).getByRole('checkbox')
const tagsOf = async ({ call_sid }) => (await (await w.api('GET', `/api/calls/${call_sid}`)).json()).tags

async function choosing(wishes) {
  const page = await (await w.person(wishes)).newPage()
  await page.goto('/')
  await page.getByRole('button', { name: 'Choose calls' }).click()
  await page.getByText('0 calls chosen').waitFor()
  return page
}

/** The file that a press gives: its name and its bytes. */
async function fileOf(page, press) {
  const [download] = await Promise.all([page.waitForEvent('download'), press()])
  return { name: download.suggestedFilename(), path: await download.path() }
}

test('the recordings of the chosen calls are one archive, under the names that the service gives', async () => {
  const page = await choosing({ role: 'viewer' })
  const seen = watch(page)
  await box(page, calls[0]).click()
  await box(page, calls[3]).click({ modifiers: ['Shift'] })
  await page.getByText('4 calls chosen').waitFor()
  assert.equal(await page.getByRole('button', { name: 'Tags', exact: true }).count(), 0, 'a viewer changes nothing')
  assert.equal(await page.getByRole('button', { name: 'Delete calls' }).count(), 0)
  const { name, path } = await fileOf(page, () => page.getByRole('button', { name: 'Download recordings' }).click())
  assert.match(name, /^calls \d{4}-\d\d-\d\d\.zip$/)
  const look = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    print(json.dumps([[i.filename, i.file_size] for i in z.infolist()]))`
  const files = JSON.parse(execFileSync('python3', ['-c', look, path], { encoding: 'utf8' }))
  const sizes = await Promise.all(calls.slice(0, 3).map(async ({ recording_sid }) => (await w.status(recording_sid)).bytes))
  assert.deepEqual(files.map(([, size]) => size), sizes)
  assert.match(files[0][0], /^2025-03-09_\d{4}_.*_Maya Rosen\.\w+$/)
  assert.match(files[2][0], /_יעל כהן\.\w+$/)
  await page.getByText('3 recordings downloaded.').waitFor()
  assert.deepEqual(seen.complaints, [])
})

test('a download is stopped, and what can’t be had is told', async () => {
  const page = await choosing()
  await page.getByRole('button', { name: 'Choose all 4 shown' }).click()
  await page.route('**/download**', async (route) => {
    if (!route.request().url().includes(calls[1].recording_sid)) return route.continue()
    await route.fulfill({ status: 410, contentType: 'application/problem+json', body: JSON.stringify({ code: 'gone' }) })
  })
  await fileOf(page, () => page.getByRole('button', { name: 'Download recordings' }).click())
  await page.getByText('2 recordings downloaded. 1 was not done. The recording has expired.').waitFor()
  let asked
  const held = new Promise((resolve) => (asked = resolve))
  await page.unroute('**/download**')
  await page.route('**/download**', () => asked())
  await page.getByRole('button', { name: 'Download recordings' }).click()
  await held
  await page.getByText('0 of 3').waitFor()
  await page.getByRole('button', { name: 'Stop', exact: true }).click()
  await page.getByText('0 recordings downloaded. 3 were not done.').waitFor()
})

test('a tag is put on and taken off', async () => {
  const page = await choosing({ role: 'agent' })
  await box(page, calls[0]).click()
  await box(page, calls[2]).click()
  await page.getByRole('button', { name: 'Tags', exact: true }).click()
  await page.getByLabel('Add a tag').fill('to check')
  await page.keyboard.press('Enter')
  await page.getByText('2 calls tagged.').waitFor()
  assert.deepEqual(await Promise.all(calls.map(tagsOf)), [['to check'], [], ['to check'], []])
  await box(page, calls[2]).click()
  await eventually(async () => {
    await page.getByRole('button', { name: 'Tags', exact: true }).click()
    if (await page.getByRole('button', { name: 'Remove the tag to check' }).count()) return true
    await page.keyboard.press('Escape')
    return false
  }, 'the row has its tag')
  await page.getByRole('button', { name: 'Remove the tag to check' }).click()
  await page.getByText('Tag removed from 1 call.').waitFor()
  assert.deepEqual(await Promise.all(calls.map(tagsOf)), [[], [], ['to check'], []])
})

test('a CSV file has the chosen calls as the service writes them', async () => {
  const page = await choosing({ role: 'viewer' })
  await page.getByRole('button', { name: 'Choose all 4 shown' }).click()
  await box(page, calls[2]).click()
  const { name, path } = await fileOf(page, () => page.getByRole('button', { name: 'CSV', exact: true }).click())
  assert.equal(name, 'calls.csv')
  const all = (await (await w.api('GET', '/api/calls.csv')).text()).split('\r\n')
  assert.equal(readFileSync(path, 'utf8').replace(/^\ufeff/, ''), all.filter((line) => !line.startsWith(calls[2].call_sid)).join('\r\n').replace(/^\ufeff/, ''))
})

test('other filters choose nothing, and a phone shows it all, in both languages', async () => {
  for (const language of ['en', 'he']) {
    const page = await (await w.person({ options: { viewport: { width: 390, height: 800 } }, chosen: { language } })).newPage()
    await page.goto('/')
    await page.getByRole('button', { name: language === 'en' ? 'Choose calls' : 'בחירת שיחות' }).click()
    await box(page, calls[0]).click()
    await page.locator('.bulk').waitFor()
    assert.deepEqual(await judged(page, `choosing, ${language}`), [])
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing is wider than the window')
    await page.getByRole('searchbox').fill('Maya')
    await page.locator('.bulk').waitFor({ state: 'detached' })
    await eventually(async () => (await page.locator('.row[data-call]').count()) === 1, 'one call is found')
    assert.equal(await page.getByRole('checkbox').count(), 0)
  }
})

test('an admin deletes the chosen calls; what a legal hold keeps stays and is told', async () => {
  const [kept, gone] = [calls[0], calls[1]]
  assert.equal((await w.api('PUT', `/api/calls/${kept.call_sid}/hold`, { body: { reason: 'Case 17' } })).status, 204)
  const page = await choosing()
  await box(page, kept).click()
  await box(page, gone).click()
  await page.getByRole('button', { name: 'Delete calls' }).click()
  await page.getByText('2 calls, their recordings and all that is known of them').waitFor()
  await page.getByRole('button', { name: 'Delete for good' }).click()
  await page.getByText('1 call deleted. 1 was not done. A legal hold keeps it. Remove the hold first.').waitFor()
  await rowOf(page, gone).waitFor({ state: 'detached' })
  await page.getByText('1 call chosen').waitFor()
  assert.equal(await rowOf(page, kept).count(), 1)
})
