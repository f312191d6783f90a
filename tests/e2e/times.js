// Tells how long people wait for the page: node times.js [ROUNDS]. Times are told, never judged: read them beside the load, on a
// machine that does nothing else. Each round is a browser that has nothing in its cache.
import os from 'node:os'
import { rowOf, world } from './world.js'

const rounds = Number(process.argv[2] ?? 9)
const RTT_MS = 100
const w = await world()
const calls = []
for (let i = 0; i < 30; i++) calls.push(await w.call({ seconds: 30, channels: 2, direction: 'inbound' }))
for (const { recording_sid } of calls) await w.until(recording_sid, 'ready')
const hot = calls[26]

/** When the first row was in the document, in milliseconds since the navigation began. */
const noteRows = () => {
  new MutationObserver((_, observer) => {
    if (!document.querySelector('.row[data-call] .chip')) return
    window.shownAt = performance.now()
    observer.disconnect()
  }).observe(document, { childList: true, subtree: true })
}
const shownAt = (page) => page.waitForFunction(() => window.shownAt).then((it) => it.jsonValue())

async function opened({ rtt = 0 } = {}) {
  const context = await w.person()
  const page = await context.newPage()
  await page.addInitScript(noteRows)
  if (rtt > 0) {
    const cdp = await context.newCDPSession(page)
    await cdp.send('Network.emulateNetworkConditions', { offline: false, latency: rtt, downloadThroughput: -1, uploadThroughput: -1 })
  }
  await page.goto('/', { waitUntil: 'commit' })
  return page
}

/** Milliseconds from the press of a mouse to the first sound. */
async function pressed(page, call) {
  const play = rowOf(page, call).getByRole('button', { name: /^Play/ })
  await play.waitFor()
  const box = await play.boundingBox()
  await page.evaluate(() => {
    window.heard = new Promise((resolve) => {
      document.addEventListener('click', ({ timeStamp: began }) => {
        document.querySelector('audio').addEventListener('playing', ({ timeStamp }) => resolve(timeStamp - began), { once: true })
      }, { capture: true, once: true })
    })
  })
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  return page.evaluate(() => window.heard)
}

/** A recording that the server knows, and that nobody has asked the provider for. */
async function cold() {
  const made = await w.call({ seconds: 30, status: 'in-progress' })
  await w.silently(() => w.complete(made.recording_sid))
  return made
}

const settled = (page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 3000)))
const measures = {
  'opening to list shown': async () => {
    const page = await opened()
    return [page, await shownAt(page)]
  },
  [`the same with ${RTT_MS} ms round trips`]: async () => {
    const page = await opened({ rtt: RTT_MS })
    return [page, await shownAt(page)]
  },
  'press to sound, hot, as soon as the list is shown': async () => {
    const page = await opened()
    return [page, await pressed(page, hot)]
  },
  'press to sound, hot, after 3 s': async () => {
    const page = await opened()
    await shownAt(page)
    await settled(page)
    return [page, await pressed(page, hot)]
  },
  'press to sound, cold, after 3 s': async () => {
    const made = await cold()
    const page = await opened()
    await shownAt(page)
    await settled(page)
    return [page, await pressed(page, made)]
  },
}

const { page: first } = { page: await opened() } // the browser itself starts
await shownAt(first)
await first.context().close()
console.log(`${rounds} rounds, ${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)} at the start`)
const found = Object.fromEntries(Object.keys(measures).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, measure] of Object.entries(measures)) {
    const [page, ms] = await measure()
    found[name].push(ms)
    await page.context().close()
  }
for (const [name, all] of Object.entries(found)) {
  const sorted = all.map(Math.round).sort((a, b) => a - b)
  console.log(`${name}: median ${sorted[Math.floor(rounds / 2)]} ms, from ${sorted[0]} to ${sorted.at(-1)}`)
}
console.log(`load ${os.loadavg()[0].toFixed(1)} at the end`)
await w.stop()
