import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { load } from './load.js'

/** An <audio> that does what it is told: `happens` is what the browser would tell of it. */
class Media extends EventTarget {
  src = ''
  currentTime = 0
  duration = Number.NaN
  readyState = 0
  paused = true
  ended = false
  error = null
  volume = 1
  muted = false
  playbackRate = 1
  buffered = { length: 0 }
  asked = [] // the sources that were loaded
  play() {
    this.paused = false
    if (this.asked.at(-1) !== this.src) this.asked.push(this.src)
    return Promise.resolve()
  }
  pause() {
    if (this.paused) return
    this.paused = true
    this.happens('pause')
  }
  load() {
    this.readyState = 0
    this.currentTime = 0
  }
  removeAttribute() {
    this.src = ''
  }
  happens(type, change = {}) {
    Object.assign(this, change)
    this.dispatchEvent(new Event(type))
  }
  sounds(duration = 100) {
    this.happens('loadedmetadata', { readyState: 4, duration })
    this.happens('playing')
  }
}

const kept = new Map()
beforeEach(() => {
  kept.clear()
  globalThis.localStorage = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => kept.set(name, value),
  }
  globalThis.MediaError = { MEDIA_ERR_NETWORK: 2 }
})
const track = (key, duration = 100) => ({ key, src: `/${key}`, duration })

async function player(answer = async () => ({ kind: 'coming', retryAfter: null })) {
  const { Engine } = await load('player/engine.ts')
  const media = new Media()
  const engine = new Engine(media, answer)
  return { engine, media }
}

test('the phases follow the audio: starting, playing, buffering, paused, ended', async () => {
  const { engine, media } = await player()
  const phases = []
  engine.subscribe(() => phases.at(-1) !== engine.state.phase && phases.push(engine.state.phase))
  engine.open(track('a'))
  media.sounds()
  media.happens('waiting', { currentTime: 5 })
  media.happens('playing')
  engine.pause()
  engine.play()
  media.happens('playing')
  media.happens('ended', { currentTime: 100 })
  engine.close()
  assert.deepEqual(phases, [
    'starting',
    'playing',
    'buffering',
    'playing',
    'paused',
    'starting',
    'playing',
    'ended',
    'empty',
  ])
})

test('every state knows where every happening leads, and close always empties', async () => {
  const { phaseAfter } = await load('player/phase.ts')
  const phases = ['empty', 'starting', 'playing', 'paused', 'buffering', 'waiting', 'failed', 'ended']
  for (const phase of phases) {
    assert.equal(phaseAfter(phase, 'close'), 'empty')
    assert.equal(phaseAfter(phase, 'open'), 'starting')
    assert.equal(phaseAfter(phase, 'cue'), 'paused')
  }
  assert.equal(phaseAfter('empty', 'playing'), 'empty')
  assert.equal(phaseAfter('waiting', 'halted'), 'waiting', 'the browser gave up; we did not')
  assert.equal(phaseAfter('waiting', 'stop'), 'paused')
  assert.equal(phaseAfter('failed', 'halted'), 'failed')
  assert.equal(phaseAfter('ended', 'halted'), 'ended')
})

test('a recording that is cued asks for nothing until somebody presses, then plays from there', async () => {
  const { engine, media } = await player()
  engine.cue(track('a'), 83)
  assert.deepEqual([engine.state.phase, engine.state.time, media.src, media.asked.length], ['paused', 83, '', 0])
  engine.toggle()
  assert.deepEqual(media.asked, ['/a'])
  media.sounds()
  assert.equal(media.currentTime, 83)
})

test('the place in each recording is remembered, from one to another and back', async () => {
  const { engine, media } = await player()
  engine.open(track('a'))
  media.sounds()
  media.happens('timeupdate', { currentTime: 42 })
  engine.open(track('b'))
  media.happens('loadedmetadata', { readyState: 4, currentTime: 0 })
  media.happens('timeupdate', { currentTime: 7 })
  engine.open(track('a'))
  assert.equal(engine.state.time, 42)
  media.happens('loadedmetadata', { currentTime: 0 })
  assert.equal(media.currentTime, 42)
})

test('what was heard to the end is marked, and begins anew', async () => {
  const { placesAfter, isHeard } = await load('player/places.ts')
  assert.deepEqual([isHeard(95, 100), isHeard(94, 100), isHeard(2.8, 3), isHeard(5, null)], [true, false, true, false])
  const once = placesAfter({}, 'a', 99, 100, 1)
  assert.deepEqual(once, { a: [0, 1, 1] })
  assert.deepEqual(placesAfter(once, 'a', 30, 100, 2), { a: [30, 1, 2] }, 'it stays heard')
  let many = {}
  for (let i = 0; i < 500; i++) many = placesAfter(many, `r${i}`, 10, 100, i)
  assert.equal(Object.keys(many).length, 400)
  assert.ok(many.r499 && !many.r99)
})

test('one player at a time: another one of the page stops', async () => {
  const { Engine } = await load('player/engine.ts')
  const [one, two] = [new Media(), new Media()]
  const [first, second] = [one, two].map((media) => new Engine(media, async () => null))
  first.open(track('a'))
  one.sounds()
  second.open(track('b'))
  assert.equal(first.state.phase, 'paused')
  assert.equal(one.paused, true)
})

test('what does not come is waited for, told why, and given up with its reason', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  let answer = { kind: 'coming', retryAfter: null }
  const { engine, media } = await player(async () => answer)
  engine.open(track('a'))
  media.happens('error', { error: { code: 4 } })
  await settled()
  assert.equal(engine.state.phase, 'waiting')
  answer = { kind: 'here', whole: true, retryAfter: null }
  t.mock.timers.tick(2000)
  await settled()
  media.happens('loadedmetadata', { readyState: 4, error: null })
  media.happens('playing')
  assert.equal(engine.state.phase, 'playing')
  answer = { kind: 'trouble', code: 'gone', retryAt: null }
  media.happens('error', { error: { code: 2 } })
  await settled()
  assert.deepEqual([engine.state.phase, engine.state.trouble.code], ['failed', 'gone'])
})

test('silence is skipped where the switch is on, and only there', async () => {
  const { engine, media } = await player()
  const points = Float32Array.from({ length: 100 }, (_, i) => (i >= 20 && i < 60 ? 0.01 : 0.5))
  engine.open(track('a'))
  media.sounds()
  engine.hear([points], ['first', 'second'])
  media.happens('timeupdate', { currentTime: 25 })
  assert.equal(media.currentTime, 25)
  engine.setListening({ skipSilence: true })
  media.happens('timeupdate', { currentTime: 26 })
  assert.ok(Math.abs(media.currentTime - 59.7) < 0.01, `${media.currentTime}`)
  assert.match(kept.get('callreel.listening'), /"skipSilence":true/)
})

test('silences: long ones only, of all channels, with a margin', async () => {
  const { afterSilence, silencesOf } = await load('player/peaks.ts')
  const loud = (quiet) =>
    Float32Array.from({ length: 100 }, (_, i) => (quiet.some(([a, b]) => i >= a && i < b) ? 0 : 0.4))
  const one = loud([
    [0, 20],
    [50, 55],
    [70, 100],
  ])
  const round = (spans) => spans.map((span) => span.map((n) => Math.round(n * 10) / 10))
  assert.deepEqual(
    round(silencesOf([one], 10)),
    [
      [0, 1.7],
      [7.3, 9.7],
    ],
    'half a second is a pause',
  )
  assert.deepEqual(silencesOf([one, loud([[20, 70]])], 10), [], 'the other one speaks')
  assert.deepEqual(silencesOf([], 10), [])
  assert.equal(afterSilence([[1, 3]], 2), 3)
  assert.equal(afterSilence([[1, 3]], 3), null)
})

test('the share of the talk of each side; none where nobody speaks', async () => {
  const { talkOf } = await load('player/peaks.ts')
  const points = (...values) => Float32Array.from(values)
  assert.deepEqual(talkOf([points(0.5, 0.5, 0.5, 0), points(0, 0.01, 0, 0.3)]), [0.75, 0.25])
  assert.deepEqual(talkOf([points(0, 0.01), points(0, 0)]), [])
})

test('a faint side is made as loud as the other, within reason', async () => {
  const { gainsOf } = await load('player/peaks.ts')
  const level = (n) => Float32Array.from({ length: 50 }, () => n)
  const [agent, caller] = gainsOf([level(0.9), level(0.1)])
  assert.ok(Math.abs(agent * 0.9 - caller * 0.1) < 0.001)
  assert.deepEqual(gainsOf([level(0), level(0.04)]), [1, 8])
})

test('one side alone is heard in both ears; else each in its own', async () => {
  const { mixOf } = await load('player/sound.ts')
  assert.deepEqual(mixOf({ even: false, channel: null, gains: [] }), [
    [1, 0],
    [0, 1],
  ])
  assert.deepEqual(mixOf({ even: false, channel: 1, gains: [] }), [
    [0, 0],
    [1, 1],
  ])
  assert.deepEqual(
    mixOf({ even: true, channel: null, gains: [2] }),
    [
      [2, 0],
      [0, 2],
    ],
    'one channel in both ears',
  )
})

test('without WebAudio the switches change nothing and the audio plays', async () => {
  const { engine, media } = await player()
  engine.setListening({ evenLoudness: true, side: 'agent' })
  engine.open(track('a'))
  media.sounds()
  assert.equal(engine.state.phase, 'playing')
})

test('a pointer on the bar seeks when it lets go; a second finger or a cancelled touch does not', async () => {
  const { idle, seekingAfter, timeAt } = await load('player/seeking.ts')
  const walk = (...steps) => {
    let now = idle
    const seeks = []
    for (const step of steps) {
      const { next, seek } = seekingAfter(now, step)
      now = next
      if (seek !== null) seeks.push(seek)
    }
    return { now: now.kind, seeks }
  }
  const at = (type, at, pointer = 1) => ({ type, at, pointer })
  assert.deepEqual(walk(at('down', 10), at('move', 20), at('move', 30), at('up', 31)), { now: 'idle', seeks: [31] })
  assert.deepEqual(walk(at('move', 20), at('up', 20)), { now: 'idle', seeks: [] })
  assert.deepEqual(walk(at('down', 10), at('up', 20, 2)), { now: 'dragging', seeks: [] })
  assert.deepEqual(walk(at('down', 10), { type: 'cancel', pointer: 1 }, at('up', 5)), { now: 'idle', seeks: [] })
  const bar = { left: 100, width: 200 }
  assert.deepEqual(
    [timeAt(150, bar, 60), timeAt(90, bar, 60), timeAt(999, bar, 60), timeAt(150, bar, 0)],
    [15, 0, 60, 0],
  )
})

test('keys go by their place on the keyboard: Hebrew letters and Caps Lock are the same keys', async () => {
  const { actionOf } = await load('player/keys.ts')
  const plain = { shiftKey: false, ctrlKey: false, altKey: false, metaKey: false }
  const meant = (key, code, more = {}) => actionOf({ key, code, ...plain, ...more })
  for (const [latin, hebrew, code, action] of [
    ['k', 'ל', 'KeyK', { do: 'toggle' }],
    ['j', 'ח', 'KeyJ', { do: 'skip', seconds: -10 }],
    ['l', 'ך', 'KeyL', { do: 'skip', seconds: 10 }],
    ['n', 'מ', 'KeyN', { do: 'next' }],
    ['p', 'פ', 'KeyP', { do: 'previous' }],
    ['m', 'צ', 'KeyM', { do: 'mute' }],
  ]) {
    assert.deepEqual(meant(latin, code), action)
    assert.deepEqual(meant(hebrew, code), action)
    assert.deepEqual(meant(latin.toUpperCase(), code), action)
    assert.equal(meant(latin, code, { ctrlKey: true }), null)
  }
  assert.deepEqual(meant('5', 'Digit5'), { do: 'share', of: 0.5 })
  assert.deepEqual(meant('?', 'Slash', { shiftKey: true }), { do: 'help' })
  assert.deepEqual(meant('.', 'Slash'), { do: 'search' }, 'the key of / in Hebrew')
  assert.deepEqual(meant('/', 'Digit7', { shiftKey: true }), { do: 'search' }, 'in German')
  assert.equal(meant('x', 'KeyX'), null)
})

test('keys are the player’s unless somebody types or chooses', async () => {
  const { isPlayers } = await load('player/keys.ts')
  const toggle = { do: 'toggle' }
  assert.deepEqual(
    ['typing', 'choosing', 'control', 'player', 'page'].filter((where) => isPlayers(toggle, where)),
    ['control', 'player', 'page'],
  )
  assert.deepEqual(
    ['page', 'control', 'tool', 'player'].filter((where) => isPlayers({ do: 'volume', by: 0.1 }, where)),
    ['tool', 'player'],
  )
})

test('audio that breaks at one place each time it plays is loaded three times, then said to be unplayable', async () => {
  const { engine, media } = await player(async () => ({ kind: 'here', whole: true }))
  engine.open(track('a'))
  let loads = 0
  const play = media.play
  media.play = () => {
    loads++
    return play.call(media)
  }
  for (let i = 0; i < 10 && engine.state.phase !== 'failed'; i++) {
    media.sounds()
    media.happens('timeupdate', { currentTime: 0.02 * (i + 1) })
    media.happens('error', { error: { code: 3 } })
    await Promise.resolve().then(() => new Promise(setImmediate))
  }
  assert.deepEqual([engine.state.phase, engine.state.trouble?.code, loads], ['failed', 'unplayable', 2])
  engine.play()
  media.sounds()
  media.happens('timeupdate', { currentTime: 8 })
  media.happens('error', { error: { code: 3 } })
  await new Promise(setImmediate)
  assert.equal(engine.state.phase, 'playing', 'what sounded for a while is loaded again when it breaks')
})

test('speeds go from half to three times, step by step', async () => {
  const { speedBeside } = await load('player/keys.ts')
  const up = [0.5]
  while (speedBeside(up.at(-1), 1) !== up.at(-1)) up.push(speedBeside(up.at(-1), 1))
  assert.deepEqual(up, [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3])
  assert.equal(speedBeside(0.5, -1), 0.5)
})

const recording = (sid, minute, change = {}) => ({
  recording_sid: sid,
  status: 'ready',
  started_at: minute === null ? null : new Date(2025, 1, 1, 9, minute).toISOString(),
  error: null,
  ...change,
})

test('the recordings of a call come in order of time, then the next call of the list', async () => {
  const { beside, inOrder, playableOf } = await load('player/order.ts')
  const a = { call_sid: 'a', recordings: [recording('a2', 39), recording('a1', 36), recording('a3', null)] }
  const none = { call_sid: 'none', recordings: [recording('gone', 1, { status: 'expired' })] }
  const b = { call_sid: 'b', recordings: [recording('b1', 5)] }
  assert.deepEqual(
    inOrder(a.recordings).map((r) => r.recording_sid),
    ['a1', 'a2', 'a3'],
  )
  assert.deepEqual(playableOf(none), [])
  const list = [a, none, b]
  const sid = (item) => item?.recording.recording_sid ?? null
  assert.equal(sid(beside(list, a, 'a1', 1)), 'a2')
  assert.equal(sid(beside(list, a, 'a3', 1)), 'b1')
  assert.equal(sid(beside(list, b, 'b1', -1)), 'a3')
  assert.equal(sid(beside(list, b, 'b1', 1)), null)
  assert.equal(sid(beside([], a, 'a3', 1)), null)
})

test('a moment of a link is understood as people write it', async () => {
  const { secondsIn } = await load('player/moment.ts')
  const seconds = ['83', '83.5', '1:23', '1:02:03', '1m23s', '1h', '', 'abc', '-3', '1:2', null].map(secondsIn)
  assert.deepEqual(seconds, [83, 83.5, 83, 3723, 83, 3600, null, null, null, null, null])
})

test('notes that stand close together are one dot; those without a moment have none', async () => {
  const { dotsOf } = await load('player/marks.ts')
  const marks = [
    { at: 30, text: 'c' },
    { at: null, text: 'of all' },
    { at: 10, text: 'a' },
    { at: 11, text: 'b' },
    { at: 200, text: 'beyond' },
  ]
  assert.deepEqual(dotsOf(marks, 100, 1000), [
    { at: 10, texts: ['a', 'b'] },
    { at: 30, texts: ['c'] },
    { at: 100, texts: ['beyond'] },
  ])
  assert.deepEqual(dotsOf(marks, 0, 1000), [])
  assert.equal(dotsOf(marks, 100, 0).length, 4)
})

test('the first channel is the caller’s', async () => {
  const { rolesOf } = await load('player/listening.ts')
  assert.deepEqual(rolesOf('inbound'), ['customer', 'agent'])
  assert.deepEqual(rolesOf('outbound'), ['agent', 'customer'])
  assert.deepEqual(rolesOf(null), ['first', 'second'])
})

test('only http and https are a recording', async () => {
  globalThis.document = { baseURI: 'https://calls.example.com/' }
  const { keyOf, urlOf } = await load('embed/ask.ts')
  const taken = [
    'api/x',
    'https://a.example/b',
    'javascript:alert(1)',
    'data:audio/wav,x',
    'blob:https://a/b',
    'https://',
    '',
  ].map((src) => urlOf(src)?.href ?? null)
  assert.deepEqual(taken, ['https://calls.example.com/api/x', 'https://a.example/b', null, null, null, null, null])
  const sid = `RE${'0'.repeat(32)}`
  assert.equal(keyOf(new URL(`https://a.example/api/recordings/${sid}/stream?sig=1`)), sid)
  delete globalThis.document
})

test('a part of the page that does not load is tried again', async () => {
  globalThis.window = new EventTarget()
  const { loadAgain } = await load('ui/useChunk.ts')
  let tries = 0
  const load3 = async () => {
    if (++tries < 3) throw new Error('lost')
    return 'here'
  }
  assert.equal(await loadAgain(load3, [0, 0]), 'here')
  await assert.rejects(loadAgain(async () => Promise.reject(new Error('lost')), [0]))
  delete globalThis.window
})

test('what nobody answered for goes on where it was when the network is back, if somebody still wants it', async () => {
  const settled = () => new Promise((resolve) => setImmediate(resolve))
  let answer = { kind: 'trouble', code: 'offline', retryAt: null }
  const { engine, media } = await player(async () => answer)
  const cut = async (at) => {
    media.happens('timeupdate', { currentTime: at })
    media.happens('error', { error: { code: MediaError.MEDIA_ERR_NETWORK } })
    await settled()
    assert.deepEqual([engine.state.phase, engine.state.trouble.code], ['failed', 'offline'])
  }
  engine.open(track('a'))
  media.sounds()
  await cut(42)
  media.error = null
  engine.nudge()
  assert.equal(engine.state.phase, 'starting')
  media.sounds()
  assert.deepEqual([engine.state.phase, media.currentTime], ['playing', 42])

  const now = performance.now
  await cut(50)
  performance.now = () => now.call(performance) + 3_600_000
  engine.nudge()
  performance.now = now
  assert.equal(engine.state.phase, 'failed', 'an hour later nobody waits')

  answer = { kind: 'trouble', code: 'gone', retryAt: null }
  engine.again()
  media.happens('error', { error: { code: 4 } })
  await settled()
  engine.nudge()
  assert.equal(engine.state.trouble.code, 'gone', 'what was answered stays')
  engine.destroy()
})

test('what is assumed of a link is not kept, and does not become the listener’s own with the next switch', async () => {
  const { engine } = await player()
  engine.assume({ swapped: true })
  engine.setListening({ skipSilence: true })
  assert.deepEqual([engine.state.listening.swapped, engine.state.listening.skipSilence], [true, true])
  const { swapped, skipSilence } = JSON.parse(kept.get('callreel.listening'))
  assert.deepEqual([swapped, skipSilence], [false, true])
})
