// The player under mouse, touch, drags, and keys of any layout.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { audio, eventually, judged, near, noteSeeks, pressAt, rowOf, sounds, watch, world } from './world.js'

let w, long, other, pair, two
before(async () => {
  w = await world()
  long = await w.call({ seconds: 60, channels: 2, direction: 'inbound', start_time: '2025-03-03T10:00:00Z' })
  await long.name('Maya Rosen')
  other = await w.call({ seconds: 40, direction: 'outbound', start_time: '2025-03-02T10:00:00Z' })
  await other.name('Daniel Cohen')
  pair = await several('2025-03-01T10:00:00Z', 'Noa Levi', 30, 30)
  two = await several('2025-03-04T10:00:00Z', 'Ines Carvalho', 1, 2)
  for (const made of [long, other, pair, pair.second, two, two.second]) await w.until(made.recording_sid, 'ready')
})
after(() => w.stop())

/** A call of two recordings. */
async function several(start_time, name, ...seconds) {
  const made = await w.call({ seconds: seconds[0], start_time })
  await made.name(name)
  made.second = await w.further(made.call_sid, { seconds: seconds[1] })
  return made
}

const playOf = (page, call) => (call ? rowOf(page, call) : page).getByRole('button', { name: /^(Play|Pause)/ })
const player = (page) => page.getByRole('region', { name: 'Player' })
const bar = (page) => page.getByRole('slider', { name: 'Position' })
const visitor = async (options = {}) => {
  const context = await w.person({ options })
  await context.addInitScript(noteSeeks)
  return context
}
const paused = (page, wanted = true) => eventually(async () => (await audio(page)).paused === wanted, wanted ? 'paused' : 'sounds')
const opened = (page, sid) => page.waitForFunction((sid) => document.querySelector('audio').currentSrc.includes(sid), sid)

async function playing(options = {}, call = long) {
  const context = await visitor(options)
  const page = await context.newPage()
  const seen = watch(page)
  await page.goto('/')
  await playOf(page, call).click()
  await sounds(page)
  await page.locator('.seek-wave').waitFor()
  return { context, page, seen }
}

test('a click on the waveform plays there, and the pointer is told the time', async () => {
  const { context, page, seen } = await playing()
  await pressAt(page, bar(page), 0.5)
  await near(page, 30)
  await paused(page, false)
  const box = await bar(page).boundingBox()
  await page.mouse.move(box.x + box.width * 0.25, box.y + 5)
  await page.locator('.seek-bubble.seen').filter({ hasText: '0:15' }).waitFor()
  await page.mouse.move(box.x, box.y - 200)
  await page.locator('.seek-bubble.seen').waitFor({ state: 'detached' })
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('a drag while it plays seeks once, where it ends; Escape takes it back', async () => {
  const { context, page } = await playing()
  const box = await bar(page).boundingBox()
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + box.width * 0.1, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.5, y, { steps: 5 })
  await page.mouse.move(box.x + box.width * 0.75, y - 40, { steps: 5 })
  const before = (await audio(page)).time
  await eventually(async () => (await audio(page)).time > before + 0.4, 'it plays on where it is')
  assert.match(await bar(page).getAttribute('aria-valuetext'), /^0:4[45] of 1:00$/)
  await page.mouse.up()
  await near(page, 45)
  await page.mouse.move(box.x + box.width * 0.75, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.1, y, { steps: 5 })
  await page.keyboard.press('Escape')
  await page.mouse.up()
  await near(page, 45, 'after Escape it')
  await context.close()
})

test('a tap and a drag with a finger seek', async () => {
  const { context, page } = await playing({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } })
  const box = await bar(page).boundingBox()
  const y = box.y + box.height / 2
  await page.touchscreen.tap(box.x + box.width * 0.5, y)
  await near(page, 30)
  const cdp = await context.newCDPSession(page)
  const touch = (type, share) =>
    cdp.send('Input.dispatchTouchEvent', { type, touchPoints: share === null ? [] : [{ x: box.x + box.width * share, y }] })
  await touch('touchStart', 0.5)
  for (const share of [0.55, 0.6, 0.7, 0.8]) await touch('touchMove', share)
  await touch('touchEnd', null)
  await near(page, 48)
  await context.close()
})

test('the letters are the same keys on a Hebrew keyboard and with Caps Lock', async () => {
  const { context, page } = await playing()
  const cdp = await context.newCDPSession(page)
  const press = async (key, code) => {
    for (const type of ['keyDown', 'keyUp']) await cdp.send('Input.dispatchKeyEvent', { type, key, code, text: type === 'keyDown' ? key : undefined })
  }
  await press('ל', 'KeyK')
  await paused(page)
  await pressAt(page, bar(page), 0.5)
  await near(page, 30)
  await press('ך', 'KeyL')
  await near(page, 40)
  await press('ח', 'KeyJ')
  await near(page, 30)
  await press('K', 'KeyK')
  await sounds(page)
  await press('5', 'Digit5')
  await press('ת', 'Comma')
  assert.equal((await audio(page)).rate, 1)
  await press(']', 'BracketRight')
  await eventually(async () => (await audio(page)).rate === 1.25)
  await press('צ', 'KeyM')
  await eventually(() => page.evaluate(() => document.querySelector('audio').muted))
  await context.close()
})

test('after the mouse the keys are the player’s: Play, the bar, the speed', async () => {
  const { context, page } = await playing()
  await page.keyboard.press('ArrowRight')
  await eventually(async () => (await audio(page)).time > 4.5, 'an arrow after Play')
  await page.keyboard.press('Space')
  await paused(page)
  await pressAt(page, bar(page), 0.5)
  await page.keyboard.press('Space')
  await sounds(page)
  const speed = player(page).getByRole('combobox', { name: 'Speed' })
  await speed.dispatchEvent('pointerdown')
  await speed.focus()
  await speed.selectOption('2.5')
  assert.equal((await audio(page)).rate, 2.5)
  await page.keyboard.press('k')
  await paused(page)
  await context.close()
})

test('a double click on Play plays', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto('/')
  await playOf(page, long).dblclick()
  await sounds(page)
  await player(page).getByRole('button', { name: 'Pause', exact: true }).dblclick()
  await paused(page)
  await context.close()
})

test('N and P, and buttons, go through the recordings of a call in order of time, and through the list', async () => {
  const { context, page } = await playing({}, other)
  await page.keyboard.press('n')
  await opened(page, pair.recording_sid)
  await player(page).getByText('Recording 1').waitFor()
  await page.keyboard.press('n')
  await opened(page, pair.second.recording_sid)
  await player(page).getByText('Recording 2').waitFor()
  await player(page).getByRole('button', { name: 'Next recording' }).click()
  await page.getByText('This is the last recording of the list.').waitFor()
  await player(page).getByRole('button', { name: 'Previous recording' }).click()
  await opened(page, pair.recording_sid)
  await page.keyboard.press('p')
  await opened(page, other.recording_sid)
  await context.close()
})

test('the recordings of a call follow each other; the next call follows where that is wanted', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto('/')
  await playOf(page, two).click()
  await opened(page, two.recording_sid)
  await opened(page, two.second.recording_sid)
  await eventually(async () => (await audio(page)).ended, 'the last one ended')
  await rowOf(page, two).getByRole('button', { name: 'Play the call with Ines Carvalho, heard' }).waitFor()
  await playOf(page, other).click()
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  await page.getByRole('switch', { name: 'Go on to the next call' }).check()
  await page.keyboard.press('Escape')
  await pressAt(page, bar(page), 0.98)
  await opened(page, pair.recording_sid)
  await context.close()
})

test('the place in a recording is kept: from one to the other and back, and over a reload', async () => {
  const { context, page } = await playing()
  await pressAt(page, bar(page), 0.5)
  await near(page, 30)
  await playOf(page, other).click()
  await opened(page, other.recording_sid)
  await sounds(page)
  await playOf(page, long).click()
  await opened(page, long.recording_sid)
  await eventually(async () => (await audio(page)).time >= 30, 'the first goes on where it was')
  await page.keyboard.press('k')
  await paused(page)
  const { time } = await audio(page)
  const seen = watch(page)
  await page.reload()
  await player(page).getByRole('button', { name: 'Play', exact: true }).waitFor()
  await player(page).getByText(/^0:[345]\d$/).waitFor()
  assert.deepEqual(seen.audio(), [])
  await player(page).getByRole('button', { name: 'Play', exact: true }).click()
  await near(page, time, 'after a reload')
  await context.close()
})

test('one tab plays at a time', async () => {
  const { context, page } = await playing()
  const second = await context.newPage()
  await second.goto('/')
  await playOf(second, other).click()
  await sounds(second)
  await paused(page)
  await page.keyboard.press('k')
  await sounds(page)
  await paused(second)
  await context.close()
})

test('a link to a moment opens there, asks for no audio, and can be copied', async () => {
  const context = await visitor({ permissions: ['clipboard-read', 'clipboard-write'] })
  const page = await context.newPage()
  const seen = watch(page)
  await page.goto(`/calls/${long.call_sid}?t=23`)
  await player(page).getByText('0:23', { exact: true }).waitFor()
  assert.deepEqual(seen.audio(), [])
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  await page.getByRole('button', { name: 'Copy link at 0:23' }).click()
  await page.getByText('Copied', { exact: true }).waitFor()
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), `${w.base}/calls/${long.call_sid}?t=23`)
  await page.keyboard.press('Escape')
  await player(page).getByRole('button', { name: 'Play', exact: true }).click()
  await sounds(page)
  await near(page, 23)
  await context.close()
})

test('next goes on beyond the page of the list that is here', async () => {
  const context = await w.person()
  const page = await context.newPage()
  const answer = await w.api('GET', '/api/calls')
  const headers = { 'Callreel-Change': answer.headers.get('Callreel-Change') }
  const all = (await answer.json()).calls.filter((call) => [long, other].some((one) => one.call_sid === call.call_sid))
  const asked = []
  await page.route('**/api/calls?*', (route) => {
    const cursor = new URL(route.request().url()).searchParams.get('cursor')
    asked.push(cursor)
    // The next page is held back until somebody wants it: the first is long enough to fill the window.
    const rows = Array.from({ length: 60 }, (_, i) => ({ ...all[0], recordings: [], call_sid: `CA${String(i).padStart(32, '0')}` }))
    return route.fulfill({ headers, json: cursor ? { calls: [all[1]], next_cursor: null } : { calls: [all[0], ...rows], next_cursor: 'more' } })
  })
  await page.goto('/')
  await playOf(page, all[0]).click()
  await sounds(page)
  assert.deepEqual(asked, [null])
  await page.keyboard.press('n')
  await opened(page, all[1].recordings[0].recording_sid)
  assert.deepEqual(asked, [null, 'more'])
  await context.close()
})

test('a name that is changed elsewhere is the player’s name, too', async () => {
  const { context, page } = await playing({}, other)
  await player(page).getByText('Daniel Cohen').waitFor()
  await other.name('Daniel Levi')
  await player(page).getByText('Daniel Levi').waitFor()
  await other.name('Daniel Cohen')
  await context.close()
})

test('how to listen: silence is skipped, loudness evened, one side heard, kept over a reload, within the policy', async () => {
  const context = await w.person()
  const page = await context.newPage()
  const seen = watch(page)
  await page.addInitScript(() => {
    window.graphs = 0
    const make = AudioContext.prototype.createMediaElementSource
    AudioContext.prototype.createMediaElementSource = function (media) {
      window.graphs++
      return make.call(this, media)
    }
  })
  // Nobody speaks from 10 s to 40 s.
  await page.route(`**/recordings/${long.recording_sid}/waveform`, (route) => {
    const data = Array.from({ length: 600 }, (_, i) => (i >= 100 && i < 400 ? [0, 0, 0, 0] : [-80, 80, -20, 20])).flat()
    return route.fulfill({ json: { version: 2, channels: 2, sample_rate: 8000, samples_per_pixel: 800, bits: 8, length: 600, data } })
  })
  await page.goto('/')
  await playOf(page, long).click()
  await sounds(page)
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  for (const name of ['Skip silence', 'Even loudness']) await page.getByRole('switch', { name }).check()
  await page.getByRole('radio', { name: 'Customer' }).check()
  await eventually(() => page.evaluate(() => window.graphs === 1), 'the sound is treated')
  await pressAt(page, bar(page), 0.2)
  await eventually(async () => (await audio(page)).time > 39, 'the silence was skipped')
  const at = (await audio(page)).time
  await eventually(async () => (await audio(page)).time > at + 0.5, 'it sounds on')
  await page.reload()
  await playOf(page, long).click()
  await sounds(page)
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  for (const name of ['Skip silence', 'Even loudness']) assert.equal(await page.getByRole('switch', { name }).isChecked(), true)
  assert.equal(await page.getByRole('radio', { name: 'Customer' }).isChecked(), true)
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('without WebAudio it plays, with no switch for what can’t be', async () => {
  const context = await w.person()
  await context.addInitScript(() => {
    delete window.AudioContext
    localStorage.setItem('callreel.listening', JSON.stringify({ evenLoudness: true, side: 'agent' }))
  })
  const page = await context.newPage()
  await page.goto('/')
  await playOf(page, long).click()
  await sounds(page)
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  await page.getByRole('switch', { name: 'Skip silence' }).waitFor()
  assert.equal(await page.getByRole('switch', { name: 'Even loudness' }).count(), 0)
  await context.close()
})

test('? shows the keys, / goes to the search, from any page', async () => {
  const { context, page } = await playing()
  await page.keyboard.press('Shift+Slash')
  await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('/')
  await eventually(() => page.evaluate(() => document.activeElement.type === 'search'))
  await page.keyboard.type('k?')
  assert.equal(await page.getByRole('searchbox').inputValue(), 'k?')
  await page.goto(`/calls/${long.call_sid}`)
  await page.locator('.call-head').waitFor()
  await page.keyboard.press('/')
  await eventually(() => page.evaluate(() => document.activeElement.type === 'search'))
  await context.close()
})

test('notes stand on the waveform: hover and focus tell them, a press goes there, and they come and go', async () => {
  const note = (at, text) => w.api('POST', `/api/recordings/${other.recording_sid}/notes`, { body: { at, text } })
  const first = await (await note(10, 'Asks for a refund')).json()
  await note(30, 'מבקש החזר')
  const { context, page, seen } = await playing({}, other)
  await page.keyboard.press('k')
  const marks = player(page).locator('.cr-mark')
  await marks.nth(1).waitFor()
  await marks.nth(1).hover()
  await player(page).locator('.cr-tip.seen').getByText('מבקש החזר').waitFor()
  await page.mouse.down()
  await page.mouse.up()
  await near(page, 30)
  await page.keyboard.press('ArrowRight')
  await near(page, 35, 'after a press the keys are the player’s; it')
  await bar(page).focus()
  await page.keyboard.press('Tab')
  await page.keyboard.press('ArrowLeft')
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute('aria-label')), 'Note at 0:10: Asks for a refund')
  await player(page).locator('.cr-tip.seen').getByText('Asks for a refund').waitFor()
  assert.deepEqual(await judged(page, 'notes on the waveform'), [])
  await page.keyboard.press('Enter')
  await near(page, 10)
  await note(20, 'Third')
  await marks.nth(2).waitFor()
  await w.api('DELETE', `/api/recordings/${other.recording_sid}/notes/${first.id}`)
  await player(page).getByRole('button', { name: 'Note at 0:10' }).waitFor({ state: 'detached' })
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('agent and customer are swapped where they are on the other channels: labels and colours, kept', async () => {
  const { context, page } = await playing()
  const sides = (within) => within.locator('.cr-line .cr-side').evaluateAll((all) => all.map((it) => `${it.textContent} ${it.className}`))
  assert.deepEqual(await sides(player(page)), ['Customer cr-side cr-side-0', 'Agent cr-side cr-side-1'])
  await player(page).getByRole('button', { name: 'How to listen' }).click()
  await page.getByRole('radio', { name: 'Agent' }).check()
  await page.getByRole('switch', { name: 'Swap agent and customer' }).check()
  await eventually(async () => (await sides(player(page)))[0] === 'Agent cr-side cr-side-1', 'they are swapped')
  assert.equal(await page.getByRole('radio', { name: 'Agent' }).isChecked(), true)
  await page.goto(`/calls/${long.call_sid}`)
  const card = page.locator('.card-wave')
  await card.waitFor()
  assert.match((await card.locator('.cr-side').allInnerTexts()).join(), /^Agent\s\d+%,Customer\s\d+%$/)
  await playOf(page.locator('.card'), null).click()
  await eventually(async () => (await sides(player(page)))[0]?.startsWith('Agent'), 'still swapped')
  await context.close()
})

test('what plays while the network goes and comes plays on, and what opens closes by Escape at once', async () => {
  const { context, page } = await playing()
  const listen = player(page).getByRole('button', { name: 'How to listen' })
  await listen.click()
  await page.keyboard.press('Escape')
  assert.equal(await listen.getAttribute('aria-expanded'), 'false')
  await context.setOffline(true)
  await playOf(page, other).click()
  await player(page).getByText('The service does not answer').waitFor()
  await context.setOffline(false)
  await opened(page, other.recording_sid)
  await paused(page, false)
  await sounds(page)
  await context.close()
})

test('a click on the waveform of a call’s page plays there', async () => {
  const context = await visitor()
  const page = await context.newPage()
  const seen = watch(page)
  await page.goto(`/calls/${long.call_sid}`)
  const wave = page.getByRole('slider', { name: /^Waveform/ })
  await wave.waitFor()
  assert.deepEqual(seen.audio(), [])
  await pressAt(page, wave, 0.5)
  await sounds(page)
  await near(page, 30)
  await pressAt(page, wave, 0.25)
  await near(page, 15)
  await wave.focus()
  await page.keyboard.press('ArrowRight')
  await eventually(async () => (await audio(page)).time > 19.5, 'an arrow goes on 5 s')
  assert.deepEqual(seen.complaints, [])
  await context.close()
})

test('an error while the waveform is drawn takes the player’s place alone: the sound and the page go on', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.addInitScript(() => {
    const { fillRect } = CanvasRenderingContext2D.prototype
    CanvasRenderingContext2D.prototype.fillRect = () => { throw new Error('not drawn') }
    window.mend = () => { CanvasRenderingContext2D.prototype.fillRect = fillRect }
  })
  await page.goto('/')
  await playOf(page, long).click()
  const told = page.getByRole('alert').filter({ hasText: 'The player could not be loaded.' })
  await told.waitFor()
  await sounds(page)
  await rowOf(page, other).getByRole('link').click()
  await page.getByRole('heading', { name: 'Daniel Cohen' }).waitFor()
  await page.locator('.card').getByRole('link', { name: 'Download' }).waitFor()
  await paused(page, false)
  await page.evaluate(() => window.mend())
  await told.getByRole('button', { name: 'Try again' }).click()
  await page.locator('.player .seek-wave').waitFor()
  await paused(page, false)
  await context.close()
})

test('a download is offered of what is ready alone', async () => {
  const broken = await w.call({ seconds: 4, faults: ['xml'] })
  await w.until(broken.recording_sid, 'failed')
  const { context, page } = await playing()
  await player(page).getByRole('link', { name: 'Download' }).waitFor()
  await playOf(page, broken).click()
  await page.locator('.player-trouble').waitFor()
  await player(page).getByRole('link', { name: 'Download' }).waitFor({ state: 'detached' })
  await context.close()
})

test('a player whose code is lost leaves the page and the sound, and comes when it can', async () => {
  const context = await w.person()
  const page = await context.newPage()
  let lost = 2
  await page.route('**/assets/PlayerBar-*.js', (route) => (lost-- > 0 ? route.abort() : route.continue()))
  await page.goto('/')
  await playOf(page, long).click()
  await sounds(page)
  await player(page).waitFor()
  assert.equal(await page.locator('.row[data-call]').count() > 0, true)
  await context.close()
})

test('a player whose code is gone for good says so, and the sound goes on', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.route('**/assets/PlayerBar-*.js', (route) => route.fulfill({ status: 404 }))
  await page.clock.install()
  await page.goto('/')
  await playOf(page, long).click()
  await sounds(page)
  const told = page.getByRole('alert').filter({ hasText: 'The player could not be loaded.' })
  await eventually(async () => {
    await page.clock.runFor(5000)
    return told.isVisible()
  }, 'it is told')
  await paused(page, false)
  await page.unroute('**/assets/PlayerBar-*.js')
  assert.equal(await page.locator('.row[data-call]').count() > 0, true)
  await context.close()
})

test('the bar is wide and can be pressed at every width, and with text twice as large', async () => {
  const { context, page } = await playing()
  let share = 0.3
  for (const [width, height] of [[320, 640], [390, 844], [820, 1100], [844, 390], [1280, 800], [1920, 1000]])
    for (const percent of [100, 200]) {
      const what = `${width} px, ${percent} %`
      await page.setViewportSize({ width, height })
      await page.evaluate((size) => {
        document.documentElement.style.fontSize = size
        return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
      }, `${(15 * percent) / 100}px`)
      const box = await bar(page).boundingBox()
      assert.ok(box.width > width * 0.45, `${what}: ${Math.round(box.width)} px`)
      assert.ok(box.y + box.height <= height && box.x >= 0 && box.x + box.width <= width, `${what}, within the window`)
      if (percent === 100) assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= width, `${what}, not wider`)
      share = share === 0.3 ? 0.6 : 0.3
      await pressAt(page, bar(page), share)
      await near(page, share * 60, what)
    }
  await context.close()
})
