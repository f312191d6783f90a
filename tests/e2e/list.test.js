import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { eventually, rowOf, watch, world } from './world.js'

let w, calls
before(async () => {
  w = await world()
  calls = {
    incoming: await w.call({ seconds: 2, direction: 'inbound', from: '+442079460101' }),
    outgoing: await w.call({ seconds: 2, direction: 'outbound', to: '+15550123', start_time: '2025-03-01T10:00:00Z' }),
    silent: await w.call({ seconds: 0, call_status: 'no-answer' }),
  }
  await calls.incoming.name('Ines Carvalho')
  await w.until(calls.incoming.recording_sid, 'ready')
})
after(() => w.stop())

const shown = (page) => page.locator('.row[data-call]').evaluateAll((rows) => rows.map((row) => row.dataset.call))
const shows = (page, ...wanted) =>
  eventually(async () => JSON.stringify(await shown(page)) === JSON.stringify(wanted.map((one) => one.call_sid)), `shows ${wanted.length} calls`)

test('every filter narrows the list and is in the address', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  await rowOf(page, calls.incoming).waitFor()
  for (const [label, option, query, wanted] of [
    ['Direction', 'outbound', 'direction=outbound', calls.outgoing],
    ['Recording', 'no', 'has=no', calls.silent],
    ['Outcome', 'no-answer', 'status=no-answer', calls.silent],
  ]) {
    await page.getByRole('combobox', { name: label, exact: true }).selectOption(option)
    await page.waitForURL(`**/?${query}`)
    await shows(page, wanted)
    await page.reload()
    await shows(page, wanted)
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await page.waitForURL((url) => url.search === '')
  }
  await page.goto('/?date=custom&from=2025-03-01&to=2025-03-01')
  await shows(page, calls.outgoing)
  await page.context().close()
})

test('what is chosen right after the filters were cleared is all that is set', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/?has=no')
  await shows(page, calls.silent)
  // In one breath, as on a slow machine: the page had no time to draw between the two.
  await page.evaluate(() => {
    const bar = document.querySelector('.filters')
    bar.querySelector('input[type="search"]').focus()
    bar.querySelector('.quiet').click()
    const choice = bar.querySelector('option[value="no-answer"]').closest('select')
    choice.value = 'no-answer'
    choice.dispatchEvent(new Event('change', { bubbles: true }))
  })
  await page.waitForURL('**/?status=no-answer')
  await shows(page, calls.silent)
  // Text that was typed and not sent yet is cleared with the filters, too.
  await page.getByRole('searchbox').fill('Carvalho')
  await page.getByRole('button', { name: 'Clear filters' }).first().click()
  await rowOf(page, calls.outgoing).waitFor()
  assert.equal(await page.getByRole('searchbox').inputValue(), '')
  assert.equal(new URL(page.url()).search, '')
  await page.context().close()
})

test('the search waits for three characters or two letters and a pause, and finds names and parts of numbers', async () => {
  const page = await (await w.person()).newPage()
  const seen = watch(page)
  await page.goto('/')
  await rowOf(page, calls.incoming).waitFor()
  const search = page.getByRole('searchbox')
  await search.fill('55')
  await page.getByText('Enter at least 3 characters').waitFor()
  await page.waitForURL('**/?q=55')
  await search.fill('')
  await search.pressSequentially('Carv')
  await shows(page, calls.incoming)
  assert.deepEqual(seen.asked.map(({ url }) => url.searchParams.get('search')).filter(Boolean), ['Carv'])
  await search.fill('ca')
  await page.waitForURL('**/?q=ca')
  await shows(page, calls.incoming)
  await search.fill('550123')
  await shows(page, calls.outgoing)
  await search.fill('nobody at all')
  await page.getByRole('heading', { name: 'No calls found' }).waitFor()
  await page.getByRole('main').getByRole('button', { name: 'Clear filters' }).last().click()
  await rowOf(page, calls.incoming).waitFor()
  await page.context().close()
})

test('back from a call the list is where it was left, and up to date', async () => {
  for (let i = 0; i < 25; i++) await w.call({ seconds: 1, recording: false, start_time: '2025-02-01T10:00:00Z' })
  const page = await (await w.person()).newPage()
  await page.goto('/?direction=inbound')
  await rowOf(page, calls.incoming).waitFor()
  await page.mouse.wheel(0, 500)
  await page.waitForFunction(() => window.scrollY >= 400)
  const seen = page.locator('.row[data-call]').nth(12)
  await seen.scrollIntoViewIfNeeded()
  const at = await page.evaluate(() => window.scrollY)
  await seen.getByRole('link').click()
  await page.waitForURL('**/calls/*')
  await page.locator('.call-head').waitFor()
  await calls.incoming.name('Ines Carvalho-Reis')
  await page.getByRole('link', { name: 'All calls' }).click()
  await page.waitForURL('**/?direction=inbound')
  await page.waitForFunction((y) => Math.abs(window.scrollY - y) < 3, at)
  await page.evaluate(() => window.scrollTo(0, 0))
  await rowOf(page, calls.incoming).getByText('Ines Carvalho-Reis').waitFor()
  await calls.incoming.name('Ines Carvalho')
  await page.context().close()
})

test('ten thousand calls scroll: few rows in the document, every page asked once, in order', async (t) => {
  const answer = await w.api('GET', '/api/calls?limit=1')
  const headers = { 'Callreel-Change': answer.headers.get('Callreel-Change') }
  const template = (await answer.json()).calls[0]
  const total = 10_000
  const asked = []
  const page = await (await w.person()).newPage()
  await page.route('**/api/calls?*', (route) => {
    const from = Number(new URL(route.request().url()).searchParams.get('cursor') ?? 0)
    asked.push(from)
    const rows = Array.from({ length: 100 }, (_, i) => ({
      ...template,
      call_sid: `CA${String(from + i).padStart(32, '0')}`,
      customer_name: `Customer ${from + i}`,
      started_at: new Date(Date.UTC(2025, 5, 1) - (from + i) * 600_000).toISOString(),
    }))
    return route.fulfill({ headers, json: { calls: rows, next_cursor: from + 100 < total ? String(from + 100) : null } })
  })
  await page.goto('/')
  await page.getByText('Customer 0', { exact: true }).waitFor()
  const frames = page.evaluate(() => new Promise((resolve) => {
    const lengths = []
    let before = performance.now()
    requestAnimationFrame(function next(now) {
      lengths.push(now - before)
      before = now
      window.scrollBy(0, 60)
      if (lengths.length < 300) requestAnimationFrame(next)
      else resolve(lengths.sort((a, b) => a - b))
    })
  }))
  const lengths = await frames
  t.diagnostic(`300 frames of scrolling: median ${lengths[150].toFixed(1)} ms, 95 % under ${lengths[285].toFixed(1)} ms`)
  while (asked.length < total / 100) {
    const before = asked.length
    await eventually(async () => {
      await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight))
      return asked.length > before
    }, 'one more page was asked for')
  }
  await page.getByText('End of the list.').waitFor()
  await page.evaluate(() => window.scrollTo(0, document.documentElement.scrollHeight))
  await page.getByText(`Customer ${total - 1}`, { exact: true }).waitFor()
  assert.deepEqual(asked, Array.from({ length: total / 100 }, (_, i) => i * 100))
  const rows = await page.locator('.row[data-call]').count()
  assert.ok(rows < 60, `${rows} rows in the document`)
  await page.context().close()
})
