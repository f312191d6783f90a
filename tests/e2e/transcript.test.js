import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { eventually, judged, rowOf, sounds, watch, world } from './world.js'

/** Words of equal length, one behind the other. */
function said(start, end, speaker, channel, text) {
  const all = text.split(' ')
  const each = (end - start) / all.length
  const at = (i) => Math.round((start + i * each) * 1000) / 1000
  const words = all.map((word, i) => ({ word, start: at(i), end: at(i + 1), confidence: 0.9 }))
  return { start, end, channel, speaker, text, confidence: 0.9, words }
}
const CALL = [
  said(0.5, 4.5, 'customer', 0, 'Hello, my card was stolen yesterday'),
  said(5, 9, 'agent', 1, 'המנוי שלך הוא 4821 ב WhatsApp נכון'),
  said(9.5, 12.5, 'customer', 0, 'Yes, please block the card'),
]
const GAPS = [{ start: 14, end: 16, reason: 'engine_error' }]

let w, made, long
before(async () => {
  w = await world()
  made = await w.call({ seconds: 20, channels: 2, direction: 'inbound' })
  long = await w.call({ seconds: 30, direction: 'inbound' })
  await made.name('Maya Rosen')
  for (const { recording_sid } of [made, long]) await w.until(recording_sid, 'ready')
  await heard(made, CALL, GAPS)
  // Three hours, as far as the text goes.
  await heard(long, Array.from({ length: 3000 }, (_, i) => said(i * 3.6, i * 3.6 + 3, 'customer', 0, `Sentence number ${i} of a call that does not end`)), [])
})
after(() => w.stop())

/** As an engine left it: the first version is put beside the server, the next one through it. */
async function heard({ recording_sid }, segments, gaps) {
  const document = { duration: 20, language: 'en', text: '', segments: segments.slice(0, 1), gaps, talk: { speakers: { customer: 7, agent: 4 }, silence: 9, overlap: 0 } }
  const put = `import sqlite3, sys
with sqlite3.connect(sys.argv[1], timeout=20) as db:
    db.execute("insert into transcripts (business_id, recording_sid, status, engine, model, language, duration_ms, version, created_at, updated_at) values (1, ?, 'ready', 'openai', 'ggml-base', 'en', 20000, 1, 1, 1)", (sys.argv[2],))
    db.execute("insert into transcript_versions (business_id, recording_sid, version, engine, model, made_at, document) values (1, ?, 1, 'openai', 'ggml-base', 1, ?)", (sys.argv[2], sys.argv[3]))`
  execFileSync('python3', ['-c', put, path.join(w.home, 'data', 'callreel.db'), recording_sid, JSON.stringify(document)])
  const answer = await fetch(`${w.base}/api/recordings/${recording_sid}/transcript`, {
    method: 'PUT',
    headers: { Authorization: `Bearer ${w.keys.admin}`, 'Content-Type': 'application/json', 'If-Match': '*' },
    body: JSON.stringify({ segments }),
  })
  assert.equal(answer.status, 200, await answer.text())
}
const read = async ({ recording_sid }) => (await w.api('GET', `/api/recordings/${recording_sid}/transcript`)).json()

async function opened(call, wishes) {
  const page = await (await w.person(wishes)).newPage()
  await page.addInitScript(() => {
    window.places = [] // where the audio was sent
    document.addEventListener('seeking', ({ target }) => window.places.push(target.currentTime), true)
  })
  await page.goto(`/calls/${call.call_sid}`)
  await page.locator('.line').first().waitFor()
  return page
}
const word = (page, text) => page.locator('.word', { hasText: text }).first()
/** Until the audio goes there. */
const goesTo = (page, at) => eventually(() => page.evaluate((wanted) => window.places.some((place) => Math.abs(place - wanted) < 0.01), at), `it goes to ${at}`)
/** The words that are marked, and those that are heard, at one moment. */
async function halted(page) {
  await page.evaluate(() => document.querySelector('audio').pause())
  await page.locator('.card .play:not(.play-playing)').waitFor()
  return page.evaluate(() => ({ time: document.querySelector('audio').currentTime, marked: [...document.querySelectorAll('.word-heard')].map((it) => it.textContent) }))
}
const heardAt = (time) => CALL.flatMap(({ words }) => words).filter(({ start }) => start <= time).at(-1)?.word

test('a press on a word plays from it, and words light up while they are heard', async () => {
  const page = await opened(made, { role: 'viewer' })
  const seen = watch(page)
  assert.equal(seen.audio().length, 0, 'nothing is fetched before somebody presses')
  await word(page, 'block').click()
  await goesTo(page, 10.7)
  await page.waitForFunction(() => document.querySelector('audio').currentTime > 11.3)
  const { time, marked } = await halted(page)
  assert.deepEqual(marked, time < 13.1 ? [heardAt(time)] : [])
  assert.equal(await page.locator('[data-line="2"] .line-who').textContent(), 'Customer')
  assert.deepEqual(seen.complaints, [])
  await page.context().close()
})

test('what is missing is told where it is missing', async () => {
  const page = await opened(made)
  await page.getByText('Not transcribed from 0:14 to 0:16').waitFor()
  assert.deepEqual(await page.locator('.line-time').allTextContents(), ['0:00', '0:05', '0:09', '0:14'])
  await page.context().close()
})

test('who speaks is named in colours, on the waveform too, and how much', async () => {
  const page = await opened(made)
  assert.deepEqual((await page.locator('.talk li').allTextContents()).map((text) => text.trim()), ['Customer 35%', 'Agent 20%', 'Silence 45%'])
  await page.locator('.cr-sides .cr-side-1', { hasText: 'Agent' }).waitFor()
  await page.context().close()
})

test('text of both directions in one line keeps the order in which it is read', async () => {
  const page = await opened(made)
  await word(page, '4821').click()
  await goesTo(page, CALL[1].words[3].start)
  const { time, marked } = await halted(page)
  assert.deepEqual(marked, [heardAt(time)])
  const [first, number, latin] = await Promise.all(['המנוי', '4821', 'WhatsApp'].map(async (text) => (await word(page, text).boundingBox()).x))
  assert.ok(first > number && number > latin, 'from the right, with the number and the English word among them')
  await page.context().close()
})

test('a search within it goes from place to place', async () => {
  const page = await opened(made)
  const box = page.getByLabel('Search in what was said').last()
  await box.fill('CARD')
  await page.getByText('1 of 2').waitFor()
  await box.press('Enter')
  await page.getByText('2 of 2').waitFor()
  assert.equal(await page.locator('.word-chosen').textContent(), 'card')
  await box.fill('מנוי')
  await page.getByText('1 of 1').waitFor()
  await box.fill('nothing of the kind')
  await page.getByText('Not found').waitFor()
  await page.context().close()
})

test('keys go through lines and words, in the order in which they are read, and play from there', async () => {
  const page = await opened(made)
  await page.locator('.line-time').first().focus()
  await page.keyboard.press('ArrowDown')
  await page.locator('[data-line="1"] .line-time:focus').waitFor()
  await page.keyboard.press('ArrowLeft') // this line is read from the right
  await page.keyboard.press('ArrowLeft')
  await page.locator('.word-cursor', { hasText: 'שלך' }).waitFor()
  await page.keyboard.press('Enter')
  await goesTo(page, CALL[1].words[1].start)
  await sounds(page)
  await page.keyboard.press('Home')
  await page.locator('[data-line="0"] .line-time:focus').waitFor()
  await page.keyboard.press('Enter')
  await goesTo(page, 0.5)
  await page.context().close()
})

test('an agent corrects a line in place; earlier versions stay', async () => {
  const page = await opened(made, { role: 'agent' })
  await page.locator('[data-line="0"]').hover()
  await page.getByRole('button', { name: 'Correct the text at 0:00' }).click()
  const box = page.getByLabel('Correct the text', { exact: true })
  await box.fill('Hello, my purse was stolen yesterday')
  await box.press('Enter')
  await word(page, 'purse').waitFor()
  const after = await read(made)
  const { words } = after.segments[0]
  assert.deepEqual(words.map(({ start }) => start), CALL[0].words.map(({ start }) => start), 'the words keep their times')
  assert.deepEqual([after.version, words[2].word], [3, 'purse'])
  await page.getByLabel('Version').selectOption('2')
  await word(page, 'stolen').waitFor()
  await page.locator('.line-text', { hasText: 'my card was' }).waitFor()
  assert.equal(await page.locator('.line-edit').count(), 0, 'an earlier one is only read')
  await page.getByRole('button', { name: 'Make this the newest version' }).click()
  await eventually(async () => (await read(made)).version === 4)
  assert.equal((await read(made)).segments[0].text, CALL[0].text)
  await page.context().close()
})

test('what somebody else stored meanwhile is not overwritten, and what was written stays', async () => {
  const page = await opened(made, { role: 'agent' })
  const { version } = await read(made)
  await page.locator('[data-line="2"]').hover()
  await page.getByRole('button', { name: 'Correct the text at 0:09' }).click()
  const box = page.getByLabel('Correct the text', { exact: true })
  await box.fill('Yes, please block my card')
  let stale = true
  await page.route('**/transcript', (route) => {
    if (route.request().method() !== 'PUT' || !stale) return route.continue()
    stale = false
    return route.continue({ headers: { ...route.request().headers(), 'if-match': '"1-x"' } })
  })
  await box.press('Enter')
  await page.getByText('Somebody else corrected it').waitFor()
  assert.equal(await box.inputValue(), 'Yes, please block my card')
  await box.press('Enter')
  await eventually(async () => (await read(made)).version === version + 1)
  await page.context().close()
})

test('one press swaps the speakers, for everybody and for good', async () => {
  const page = await opened(made, { role: 'agent' })
  const other = await opened(made, { role: 'viewer' })
  await page.getByRole('button', { name: 'Swap speakers' }).click()
  for (const each of [page, other]) await each.locator('[data-line="0"] .line-who', { hasText: 'Agent' }).waitFor()
  await page.locator('.cr-sides .cr-side:first-child', { hasText: 'Agent' }).waitFor()
  assert.equal(await other.getByRole('button', { name: 'Swap speakers' }).count(), 0, 'a viewer changes nothing')
  await page.getByRole('button', { name: 'Swap speakers' }).click()
  await page.locator('[data-line="0"] .line-who', { hasText: 'Customer' }).waitFor()
  await page.getByRole('button', { name: 'Change the name of Customer' }).click()
  await page.getByLabel('Name of Customer').fill('Maya')
  await page.keyboard.press('Enter')
  for (const each of [page, other]) await each.locator('[data-line="0"] .line-who', { hasText: 'Maya' }).waitFor()
  await page.getByRole('button', { name: 'Change the name of Maya' }).click()
  await page.getByLabel('Name of Maya').fill('customer')
  await page.keyboard.press('Enter')
  await page.locator('[data-line="0"] .line-who', { hasText: 'Customer' }).waitFor()
  for (const each of [page, other]) await each.context().close()
})

test('it is copied and downloaded', async () => {
  const page = await opened(made, { role: 'viewer', options: { permissions: ['clipboard-read', 'clipboard-write'] } })
  const menu = page.getByRole('button', { name: 'Copy or download' })
  await menu.click()
  await page.getByRole('menuitem', { name: 'Copy the text' }).click()
  const copied = await eventually(() => page.evaluate(() => navigator.clipboard.readText()))
  assert.match(copied, /^\[0:00\] Customer: Hello, my card was stolen yesterday\n\[0:05\] Agent: המנוי/)
  for (const [name, beginning] of [['SRT', '1\n'], ['WebVTT', 'WEBVTT'], ['(txt)', '[']]) {
    await menu.click()
    const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('menuitem', { name }).click()])
    const chunks = []
    for await (const chunk of await file.createReadStream()) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString().replaceAll('\r\n', '\n').replace(/^\ufeff/, '')
    assert.ok(text.startsWith(beginning) && text.includes('WhatsApp'), `${name}: ${text.slice(0, 80)}`)
  }
  await page.context().close()
})

test('three hours of talk are scrolled, searched and followed', async (t) => {
  const page = await opened(long)
  assert.ok((await page.locator('.line').count()) < 60, 'only what is seen is in the document')
  await page.getByLabel('Search in what was said').last().fill('number 2987 ')
  await page.locator('.word-chosen').first().waitFor()
  const lengths = await page.evaluate(async () => {
    const box = document.querySelector('.lines')
    const frames = []
    let before = performance.now()
    for (let i = 0; i < 200; i++) {
      box.scrollTop = (box.scrollHeight / 200) * i
      await new Promise((next) => requestAnimationFrame(next))
      frames.push(performance.now() - before)
      before = performance.now()
    }
    return frames.sort((a, b) => a - b)
  })
  t.diagnostic(`200 frames of scrolling through 3,000 lines: median ${lengths[100].toFixed(1)} ms, 95 % under ${lengths[190].toFixed(1)} ms`)
  await page.locator('.lines').evaluate((box) => box.scrollTo(0, 0))
  await word(page, 'Sentence').click()
  await sounds(page)
  await page.locator('.lines').hover()
  await page.mouse.wheel(0, 20_000)
  await page.getByRole('button', { name: 'Follow what is heard' }).click()
  await page.locator('.line-heard').waitFor()
  await page.context().close()
})

test('axe finds nothing in both languages, and a phone shows it all', async () => {
  const found = []
  for (const [language, theme] of [['en', 'light'], ['he', 'dark']]) {
    const page = await opened(made, { chosen: { language, theme } })
    found.push(...(await judged(page, `transcript, ${language}`)))
    await page.locator('[data-line="0"]').hover()
    await page.locator('[data-line="0"] .line-edit').click()
    await page.locator('.line-form textarea').waitFor()
    found.push(...(await judged(page, `transcript, corrected, ${language}`)))
    await page.context().close()
  }
  assert.deepEqual(found, [])
  const phone = await opened(made, { options: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } })
  assert.equal(await phone.evaluate(() => document.documentElement.scrollWidth), 360)
  await word(phone, 'block').tap()
  await goesTo(phone, 10.7)
  await phone.context().close()
})

test('what was never transcribed is not asked for, and is shown once it is there', async () => {
  const call = await w.call({ seconds: 20, channels: 2, direction: 'inbound' })
  await w.until(call.recording_sid, 'ready')
  const page = await (await w.person({ role: 'viewer' })).newPage()
  const seen = watch(page)
  await page.goto(`/calls/${call.call_sid}`)
  await page.locator('.card-wave .seek-wave').waitFor()
  await page.locator('[data-live="live"]').waitFor()
  assert.deepEqual(seen.paths('/api/recordings').filter((name) => name.endsWith('/transcript')), [])
  await heard(call, CALL, GAPS)
  await page.locator('.line').first().waitFor()
  await page.context().close()
})

test('a place that the list found is opened and played', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/?q=stolen')
  const match = rowOf(page, made).locator('xpath=..').locator('.match')
  await match.first().waitFor()
  assert.equal(await match.first().locator('mark').textContent(), 'stolen')
  await match.first().click()
  await page.waitForURL(`**/calls/${made.call_sid}**`)
  await sounds(page)
  await page.locator('.word-found', { hasText: 'stolen' }).waitFor()
  await page.context().close()
})

test('an admin sets what is transcribed, the language and the words to expect', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/settings')
  const panel = page.getByRole('region', { name: 'Transcripts' })
  await panel.getByText('No speech engine is set up').waitFor()
  const save = (label) => panel.locator('form', { has: page.getByLabel(label) }).getByRole('button', { name: 'Save' })
  await panel.getByLabel('Only when somebody asks').check()
  await save('Only when somebody asks').click()
  await panel.getByLabel('Language of the calls').selectOption('he')
  await save('Language of the calls').click()
  await panel.getByLabel('Names and words to expect').fill('הרבור, Harbour Clinic')
  await save('Names and words to expect').click()
  await eventually(async () => {
    const { transcribe, language, vocabulary } = await (await w.api('GET', '/api/business')).json()
    return transcribe === 'asked' && language === 'he' && vocabulary === 'הרבור, Harbour Clinic'
  }, 'it is stored')
  await panel.getByLabel('Names and words to expect').fill('x'.repeat(2001))
  await panel.getByText('This is too long').waitFor()
  assert.ok(await save('Names and words to expect').isDisabled())
  assert.deepEqual(await judged(page, 'settings'), [])
  await page.context().close()
})
