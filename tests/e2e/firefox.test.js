// The player's stories in Firefox: play, seek by press and drag, keys, a finger, the custom element. One page goes through all.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { audio, eventually, pressAt, rowOf, sounds, watch, world } from './world.js'

let w, page, seen, long
before(async () => {
  w = await world({ browser: 'firefox' })
  long = await w.call({ seconds: 240, channels: 2, direction: 'inbound' })
  await long.name('Maya Rosen')
  await w.until(long.recording_sid, 'ready')
  const context = await w.person({ role: 'agent' })
  await context.addInitScript(() => {
    window.seeks = []
    document.addEventListener('seeking', (event) => window.seeks.push(event.target.currentTime), true)
  })
  page = await context.newPage()
  seen = watch(page)
})
after(() => w.stop())

const bar = (within = page) => within.getByRole('slider', { name: 'Position' })
/** Where it was last sought: it plays on from there, however long this test is not looking. */
async function near(seconds, what) {
  let seeks = []
  const there = async () => {
    seeks = await page.evaluate(() => window.seeks)
    return Math.abs((seeks.at(-1) ?? -9) - seconds) < 1.5
  }
  await eventually(there, '').catch(() => assert.fail(`${what} is at ${seconds}, not at ${seeks.join()}`))
}
const paused = (wanted) => eventually(async () => (await audio(page)).paused === wanted, wanted ? 'paused' : 'sounds')

async function drag(element, from, to, along = () => {}) {
  const box = await element.boundingBox()
  const y = box.y + box.height / 2
  await page.mouse.move(box.x + box.width * from, y)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * to, y, { steps: 4 })
  await along()
  await page.mouse.up()
}

test('it plays with its waveform, and asks for no audio before', async () => {
  await page.goto('/')
  await rowOf(page, long).waitFor()
  assert.deepEqual(seen.audio(), [])
  await rowOf(page, long).getByRole('button', { name: /^Play/ }).click()
  await sounds(page)
  await page.locator('.seek-wave').waitFor()
})

test('a press on the waveform plays there; a drag while it plays seeks once, where it ends', async () => {
  await pressAt(page, bar(), 0.5)
  await near(120, 'the press')
  await paused(false)
  await drag(bar(), 0.5, 0.75, async () => {
    const { time } = await audio(page)
    await eventually(async () => (await audio(page)).time > time + 0.3, 'it plays on while it is dragged')
  })
  await near(180, 'the drag')
})

/** A finger by WebDriver itself: the library's taps do nothing over BiDi. Shares of the bar's width, from press to release. */
async function finger(element, ...shares) {
  const box = await element.boundingBox()
  const session = page._connection.toImpl(page).delegate._session
  const moves = shares.map((share) => ({ type: 'pointerMove', x: Math.round(box.x + box.width * share), y: Math.round(box.y + box.height / 2), duration: 40 }))
  const [first, ...others] = moves
  const actions = [first, { type: 'pointerDown', button: 0 }, ...others, { type: 'pointerUp', button: 0 }]
  await session.send('input.performActions', { context: session.sessionId, actions: [{ type: 'pointer', id: 'finger', parameters: { pointerType: 'touch' }, actions }] })
}

test('a tap and a drag with a finger seek', async () => {
  await finger(bar(), 0.5)
  await near(120, 'the tap')
  await finger(bar(), 0.5, 0.6, 0.8)
  await near(192, 'the drag')
})

test('after the mouse the keys are the player’s', async () => {
  await page.keyboard.press('Space')
  await paused(true)
  await page.keyboard.press('1')
  await near(24, 'the digit')
  await page.keyboard.press('ArrowRight')
  await near(29, 'the arrow')
  await page.keyboard.press('l')
  await near(39, 'L')
  await page.keyboard.press('j')
  await near(29, 'J')
  await page.keyboard.press(']')
  await eventually(async () => (await audio(page)).rate === 1.25, 'faster')
  await page.keyboard.press('[')
  await page.keyboard.press('Space')
  await paused(false)
})

test('the custom element plays and seeks', async () => {
  await page.goto(`/embed/${long.recording_sid}?t=12&dir=inbound`)
  const player = page.locator('callreel-player')
  await player.locator('.seek-wave').waitFor()
  await page.locator('.facts', { hasText: 'Harbour Clinic' }).waitFor()
  await player.evaluate((it) => it.shadowRoot.querySelector('audio').addEventListener('seeking', (event) => window.seeks.push(event.target.currentTime)))
  await player.getByRole('button', { name: 'Play', exact: true }).click()
  await near(12, 'the link')
  await pressAt(page, bar(player), 0.5)
  await near(120, 'the press')
  await drag(bar(player), 0.5, 0.7)
  await near(168, 'the drag')
  await bar(player).focus()
  const before = await page.evaluate(() => window.seeks.length)
  await page.keyboard.press('ArrowLeft')
  await eventually(async () => (await page.evaluate(() => window.seeks.length)) > before, 'the arrow seeks')
  assert.deepEqual(seen.complaints, [])
})
