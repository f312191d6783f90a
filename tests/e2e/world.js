// The world of one test file: a simulator, a server with a business, and browsers.
import { spawn, execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { chromium, firefox } from 'playwright-core'

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const build = path.resolve(process.env.CALLREEL_BUILD ?? path.join(root, 'build-test'))
const binary = path.join(build, 'callreel')
const noSync = path.join(build, 'tests/preload/libno_sync.so')
export const PATIENCE_MS = 30_000

/** Waits until `look` returns something true, and returns that. Looks again on every step of the event loop that a timer allows. */
export async function eventually(look, what = look.toString()) {
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > until) throw new Error(`did not come true: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** A child whose output is read line by line until `pattern` was seen. */
async function started(command, argv, env, pattern) {
  const child = spawn(command, argv, { env: { PATH: process.env.PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const kept = []
  const found = new Promise((resolve, reject) => {
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on('line', (line) => {
        kept.push(line)
        const match = pattern.exec(line)
        if (match) resolve(match)
      })
    child.once('exit', (code) => reject(new Error(`${command} ended with ${code}\n${kept.join('\n')}`)))
  })
  return { child, match: await found, log: kept }
}

async function ended(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** A sound server whose only device plays at the right speed to nobody. Without a device Firefox breaks off now and then. */
async function soundServer(home) {
  const socket = path.join(home, 'sound')
  return started('pulseaudio', ['-n', '-v', '--daemonize=no', '--use-pid-file=no', '--exit-idle-time=-1', '--load=module-null-sink',
    `--load=module-native-protocol-unix socket=${socket} auth-anonymous=1`], { HOME: home, XDG_RUNTIME_DIR: home }, /Daemon startup complete/)
    .then(({ child }) => ({ child, env: { ...process.env, PULSE_SERVER: `unix:${socket}` } }))
}

/** Debian's browsers: Chromium by its own protocol, Firefox by WebDriver BiDi. */
const browsers = {
  chromium: (env) => chromium.launch({
    executablePath: process.env.CHROMIUM ?? ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'].find(existsSync),
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-dev-shm-usage', '--mute-audio'],
    env,
  }),
  firefox: (env) => firefox.launch({ env, channel: 'moz-firefox', executablePath: process.env.FIREFOX ?? '/usr/bin/firefox-esr' }),
}

/** `demo`: with the calls of `callreel demo`, else with a business that has none. `fonts`: a configuration of fontconfig. */
export async function world({ settings = {}, language = 'en-GB', demo = false, browser: name = 'chromium', fonts } = {}) {
  const home = mkdtempSync(path.join(os.tmpdir(), 'callreel-e2e-'))
  const account = `AC${randomBytes(16).toString('hex')}`
  const token = randomBytes(16).toString('hex')
  const tokenFile = path.join(home, 'token')
  writeFileSync(tokenFile, token, { mode: 0o600 })
  const sim = await started(path.join(build, 'callreel-sim'),
    ['--listen', '127.0.0.1:0', '--account', account, '--token', token], {}, /listening on (http:\S+)/)
  const simulator = sim.match[1]
  const env = { DATA_DIR: path.join(home, 'data'), LISTEN: '127.0.0.1:0', MIN_FREE_BYTES: '0', ...(existsSync(noSync) && { LD_PRELOAD: noSync }), ...settings }
  const run = (...argv) => execFileSync(binary, argv, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  if (!demo) run('business', 'add', '--name', 'Harbour Clinic', '--account-sid', account, '--auth-token-file', tokenFile, '--base-url', simulator)
  const server = await started(binary, ['serve'], env, /msg="?Listening"?.* address="?(127\.0\.0\.1:\d+)/)
  const base = `http://${server.match[1]}`
  const hooks = `${settings.PUBLIC_BASE_URL ?? base}/webhooks/twilio/1`
  if (demo) run('demo', '--server', base, '--sim', simulator, '--account', account, '--auth-token-file', tokenFile)
  const keyOf = (role) => JSON.parse(run('key', 'create', '--json', '--business', '1', '--role', role)).key
  const keys = { admin: keyOf('admin'), agent: keyOf('agent'), viewer: keyOf('viewer') }
  await told('PUT', '/sim/webhooks', { url: hooks })
  const sound = name === 'firefox' ? await soundServer(home) : null
  const browser = await browsers[name](sound ? sound.env : fonts && { ...process.env, FONTCONFIG_FILE: fonts })

  async function told(method, where, body) {
    const answer = await fetch(simulator + where, { method, body: body && JSON.stringify(body) })
    if (!answer.ok) throw new Error(`${method} ${where}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? null : answer.json()
  }
  async function api(method, where, { key = keys.admin, body } = {}) {
    return fetch(base + where, {
      method,
      headers: { Authorization: `Bearer ${key}`, ...(body && { 'Content-Type': 'application/json' }) },
      body: body && JSON.stringify(body),
    })
  }

  return {
    base, simulator, browser, keys, run, api, home,
    log: server.log,
    /** A call at the provider, told by its webhooks and answered. */
    async call(wishes = {}) {
      const made = await told('POST', '/sim/calls', wishes)
      await eventually(async () => (await told('GET', '/sim/webhooks')).pending === 0, 'webhooks were answered')
      return { ...made, name: async (customer_name) => api('PATCH', `/api/calls/${made.call_sid}`, { body: { customer_name } }) }
    },
    /** One more recording of a call. */
    further: (call_sid, wishes) => told('POST', `/sim/calls/${call_sid}/recordings`, wishes),
    /** While nothing that happens at the provider is told. */
    async silently(act) {
      await told('PUT', '/sim/webhooks', { url: null })
      await act()
      await told('PUT', '/sim/webhooks', { url: hooks })
    },
    complete: (recording_sid) => told('PUT', `/sim/recordings/${recording_sid}`, { status: 'completed' }),
    faults: (recording_sid, faults) => told('PUT', '/sim/faults', { recording_sid, faults }),
    sim: (recording_sid) => told('GET', `/sim/recordings/${recording_sid}`),
    status: async (sid) => (await api('GET', `/api/recordings/${sid}/status`)).json(),
    async until(sid, state) {
      return eventually(async () => {
        const status = await (await api('GET', `/api/recordings/${sid}/status`)).json()
        return status.status === state && status
      }, `${sid} is ${state}`)
    },
    /** A browser of somebody: its own cookies, storage and list of what went wrong in it. */
    async person({ role = 'admin', key = role && keys[role], options = {}, chosen } = {}) {
      const context = await browser.newContext({ baseURL: base, locale: language, viewport: { width: 1240, height: 800 }, ...options })
      context.setDefaultTimeout(PATIENCE_MS)
      if (key) {
        const answer = await context.request.post('/api/session', { headers: { Authorization: `Bearer ${key}` } })
        if (!answer.ok()) throw new Error(`no session for the key: ${answer.status()} ${await answer.text()}`)
      }
      if (chosen) await context.addInitScript((it) => localStorage.setItem('callreel.settings', JSON.stringify(it)), chosen)
      return context
    },
    /** Closes what every person has open. */
    async closePeople() {
      await Promise.all(browser.contexts().map((context) => context.close()))
    },
    async stop() {
      await browser.close()
      if (sound) await ended(sound.child)
      await ended(server.child)
      await ended(sim.child)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** The requests of the page, and its errors. */
export function watch(page) {
  const asked = []
  const complaints = []
  page.on('request', (request) => asked.push({ method: request.method(), url: new URL(request.url()), type: request.resourceType() }))
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)))
  page.on('console', (message) => {
    // The browser itself also reports a refused request; a test that expects one checks the page.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) complaints.push(message.text())
  })
  return {
    asked,
    complaints,
    paths: (under) => asked.map(({ url }) => url.pathname).filter((name) => name.startsWith(under)),
    audio: () => asked.filter(({ url, type }) => type === 'media' || /\/(stream|file|download)\b/.test(url.pathname)),
  }
}

export const rowOf = (page, call) => page.locator(`.row[data-call="${call.call_sid}"]`)
export const chipOf = (page, call) => rowOf(page, call).locator('.chip')

/** The page's audio, as it is now. */
export const audio = (page) =>
  page.evaluate(() => {
    const it = document.querySelector('audio')
    return it && { src: it.currentSrc, paused: it.paused, time: it.currentTime, rate: it.playbackRate, duration: it.duration, ready: it.readyState, ended: it.ended }
  })

/** Until sound comes out. */
export const sounds = (page) =>
  page.waitForFunction(() => {
    const it = document.querySelector('audio')
    return it && !it.paused && it.currentTime > 0
  })

/** Presses the mouse where `share` of the element's width is. */
export async function pressAt(page, element, share) {
  const box = await element.boundingBox()
  await page.mouse.click(box.x + box.width * share, box.y + box.height / 2)
}

/** Shows or hides the page, as its browser would. */
export const see = (page, visible) =>
  page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state })
    document.dispatchEvent(new Event('visibilitychange'))
  }, visible ? 'visible' : 'hidden')

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const axeOptions = {
  runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
  resultTypes: ['violations'],
  preload: { assets: ['media'] }, // no rule among these looks at style sheets
}

/** The findings of axe in the page as it is now, a line for each element. */
export async function judged(page, what) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe)
  const { violations } = await page.evaluate((options) => axe.run(document, options), axeOptions)
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${what}: ${id}\n  ${html}\n  ${failureSummary}`))
}

/** For addInitScript: notes where the audio is sent. */
export const noteSeeks = () => {
  window.seeks = []
  document.addEventListener('seeking', (event) => window.seeks.push(event.target.currentTime), true)
}
/** Where it was last sought: it plays on from there, however long this test is not looking. */
export const near = async (page, seconds, what) =>
  eventually(async () => Math.abs((await page.evaluate(() => window.seeks?.at(-1) ?? -9)) - seconds) < 1.2, `${what ?? 'it'} is at ${seconds}`)
