// Tells how long people wait for the page: node times.js [ROUNDS]. Times are told, never judged: read them beside the load, on a
// machine that does nothing else. Each round is a browser that has nothing in its cache. The simulator answers a cold request at
// once: the times are those that callreel and the browser add to the provider's first byte.
import os from 'node:os'
import { eventually, rowOf, world } from './world.js'

const rounds = Number(process.argv[2] ?? 9)
const RTT_MS = 100
const SLOWER = 4
const w = await world()
const calls = []
const began = Date.now() - 60 * 60_000
for (let i = 0; i < 30; i++) {
  const start_time = new Date(began + i * 60_000).toISOString() // each its minute: the newest of the list are the last ones
  calls.push(await w.call({ seconds: 30, channels: 2, direction: 'inbound', start_time }))
}
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

/** From the press of a mouse until the audio's clock moves, in milliseconds; the steps on the way, each since the press. */
async function pressed(page, call) {
  const play = rowOf(page, call).getByRole('button', { name: /^Play/ })
  await play.waitFor()
  const box = await play.boundingBox()
  const network = await networkOf(page)
  await page.evaluate(() => {
    const audio = document.querySelector('audio')
    const steps = {}
    for (const type of ['play', 'loadedmetadata', 'playing'])
      audio.addEventListener(type, ({ timeStamp }) => (steps[type] = timeStamp), { once: true })
    window.heard = new Promise((resolve) => {
      const look = () => {
        if (audio.currentTime > 0) steps.moves ??= performance.now()
        if (steps.moves && steps.playing) resolve(steps)
        else requestAnimationFrame(look)
      }
      document.addEventListener('click', ({ timeStamp }) => {
        steps.press = timeStamp
        look()
      }, { capture: true, once: true })
    })
  })
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2)
  const { press, play: played, loadedmetadata, playing, moves } = await page.evaluate(() => window.heard)
  const { request, head } = await network.of(`${call.recording_sid}/stream`)
  const since = (at) => at - press
  return {
    ms: since(moves),
    steps: {
      'play()': since(played), request: since(request), 'first byte': since(head), length: since(loadedmetadata),
      playing: since(playing), 'clock moves': since(moves),
    },
  }
}

/** When requests were sent and the heads of their answers came, by the page's clock. */
async function networkOf(page) {
  const cdp = await page.context().newCDPSession(page)
  const origin = await page.evaluate(() => performance.timeOrigin)
  const seen = []
  let ahead = 0 // of the browser's clock, in seconds
  cdp.on('Network.requestWillBeSent', ({ requestId, request, timestamp, wallTime }) => {
    ahead = wallTime - timestamp
    seen.push({ requestId, url: request.url, request: (timestamp + ahead) * 1000 - origin })
  })
  cdp.on('Network.responseReceived', ({ requestId, response: { timing } }) => {
    const it = seen.find((one) => one.requestId === requestId)
    if (it && timing) it.head = (timing.requestTime + ahead) * 1000 + timing.receiveHeadersEnd - origin
  })
  await cdp.send('Network.enable')
  return { of: (end) => eventually(() => seen.find(({ url, head }) => url.endsWith(end) && head !== undefined), end) }
}

/** A recording that the server knows, and that nobody has asked the provider for. */
async function cold() {
  const made = await w.call({ seconds: 30, status: 'in-progress' })
  await w.silently(() => w.complete(made.recording_sid))
  return made
}

const slowed = async (page) => {
  const cdp = await page.context().newCDPSession(page)
  await cdp.send('Emulation.setCPUThrottlingRate', { rate: SLOWER })
}
const settled = (page) => page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 3000)))
const measures = {
  'opening to list shown': async () => {
    const page = await opened()
    return [page, { ms: await shownAt(page) }]
  },
  [`the same with ${RTT_MS} ms round trips`]: async () => {
    const page = await opened({ rtt: RTT_MS })
    return [page, { ms: await shownAt(page) }]
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
  [`the same with a processor ${SLOWER} times slower`]: async () => {
    const page = await opened()
    await shownAt(page)
    await settled(page)
    await slowed(page)
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

const first = await opened() // the browser itself starts
await shownAt(first)
await first.context().close()
console.log(`${rounds} rounds, ${os.cpus().length} processors, load ${os.loadavg()[0].toFixed(1)} at the start`)
const found = Object.fromEntries(Object.keys(measures).map((name) => [name, []]))
for (let round = 0; round < rounds; round++)
  for (const [name, measure] of Object.entries(measures)) {
    const [page, result] = await measure()
    found[name].push(result)
    await page.context().close()
  }
const ranked = (all) => all.map(Math.round).sort((a, b) => a - b)
const median = (all) => ranked(all)[Math.floor(all.length / 2)]
for (const [name, all] of Object.entries(found)) {
  const sorted = ranked(all.map(({ ms }) => ms))
  console.log(`${name}: median ${median(sorted)} ms, from ${sorted[0]} to ${sorted.at(-1)}`)
  if (all[0].steps)
    console.log(`  ${Object.keys(all[0].steps).map((step) => `${step} ${median(all.map(({ steps }) => steps[step]))}`).join(', ')}`)
}
console.log(`load ${os.loadavg()[0].toFixed(1)} at the end`)
await w.stop()
