// Plays one recording at a time through one <audio>. Knows nothing of pages: the page of calls and the custom element use it.
// The states and their moves are phase.ts.
//
// (1) Nothing is requested before somebody presses play.
// (2) If the catalog knows the length, that counts: the length of an arriving file is a guess.
// (3) If a listener has to wait, the page says why; playing continues from the same place when the audio comes.
// (4) The place in each recording is kept while it plays and when it is left; opened again, it continues there.
// (5) Audio that breaks again and again at one place, with no sound in between, is not loaded for ever: a browser without an audio
//     device says "playing" each time.
// (6) If nothing answered, playing continues by itself when the network is back soon. An hour later nobody expects sound.
import { keep, recall } from '../app/kept'
import { lookAfter } from './backoff'
import { keepListening, type Listening, recallListening, rolesOf } from './listening'
import { afterSilence, gainsOf, type Peaks, type Span, silencesOf } from './peaks'
import { type Happening, phaseAfter } from './phase'
import { places } from './places'
import { solo } from './solo'
import { Sound } from './sound'
import { speeds } from './speeds'
import type { Answer, PlayerState, Track, Trouble } from './types'

const KEEP_PLACE_S = 5 // how often the place is stored while it plays
const SOUND_S = 1 // so much must be played after a break until it counts as mended
const GOES_ON_MS = 120_000 // (6)

export class Engine {
  #state: PlayerState
  #subscribers = new Set<() => void>()
  #wanted = false // the listener wants sound
  #resumeAt = 0 // seconds, applied when the audio is there
  #looks = 0
  #failedLoads = 0 // in a row, although the recording is here
  #brokeAt: number | null = null // seconds; null: it never broke, or it has sounded since
  #timer: ReturnType<typeof setTimeout> | undefined
  #asking: AbortController | null = null
  #sound: Sound
  #peaks: Peaks | null = null
  #silences: readonly Span[] = []
  #direction: string | null = null
  #keptAt = 0
  #cutAt: number | null = null // when nothing answered (performance.now); null: it does not wait for that

  constructor(
    readonly media: HTMLAudioElement,
    private readonly ask: (track: Track, signal: AbortSignal) => Promise<Answer>,
  ) {
    const rate = recall<number>('speed', 1)
    const volume = recall<number>('volume', 1)
    media.preload = 'none'
    media.volume = volume >= 0 && volume <= 1 ? volume : 1
    this.#sound = new Sound(media)
    this.#state = {
      track: null,
      phase: 'empty',
      time: 0,
      duration: null,
      buffered: [],
      rate: speeds.includes(rate) ? rate : 1,
      volume: media.volume,
      muted: false,
      trouble: null,
      listening: recallListening(),
    }
    solo.join(this)
    this.#listen()
    globalThis.addEventListener?.('online', this.#online)
  }

  #online = () => this.nudge()

  get state() {
    return this.#state
  }

  subscribe = (changed: () => void) => {
    this.#subscribers.add(changed)
    return () => {
      this.#subscribers.delete(changed)
    }
  }

  /** Opens a recording and plays it; if it is open already, it continues. */
  open(track: Track) {
    if (this.#state.track?.key === track.key && this.#state.phase !== 'failed') return this.play()
    this.#take(track, 'open', places.of(track.key))
    this.#load()
  }

  /** Opens a recording at a place and plays nothing: the next press does. */
  cue(track: Track, at = places.of(track.key)) {
    this.#wanted = false
    this.media.pause()
    this.#take(track, 'cue', at)
    this.#unload()
  }

  #take(track: Track, how: 'open' | 'cue', at: number) {
    this.keepPlace()
    this.#forget()
    if (track.key !== this.#state.track?.key) {
      this.#peaks = null
      this.#silences = []
    }
    const time = Math.max(0, track.duration === null ? at : Math.min(at, track.duration))
    this.#resumeAt = time
    this.#set({ track, time, duration: track.duration, buffered: [], trouble: null }, how)
  }

  /** Takes newer values from the catalog. */
  learn(duration: number | null) {
    if (duration !== null && this.#state.track) this.#set({ duration })
    this.#listenAs()
  }

  /** Sets the peaks of the open recording and the direction of its call, as far as they are known. */
  hear(peaks: Peaks | null, direction: string | null) {
    this.#peaks = peaks
    this.#direction = direction
    this.#listenAs()
  }

  play() {
    const { track, phase } = this.#state
    if (!track) return
    this.#wanted = true
    if (phase === 'failed' || phase === 'waiting') return this.again()
    if (!this.media.src) return this.#load()
    if (phase !== 'playing') this.#set({}, 'press')
    this.#start()
  }

  pause() {
    this.#wanted = false
    this.#forget()
    this.media.pause()
    this.keepPlace()
    if (this.#state.track) this.#set({}, 'stop')
  }

  toggle() {
    if (this.#wanted && this.#state.phase !== 'failed' && this.#state.phase !== 'ended') this.pause()
    else this.play()
  }

  /** Begins to ask from the first request again: a person pressed "try again". */
  again() {
    if (!this.#state.track) return
    this.#forget()
    this.#set({ trouble: null }, 'press')
    this.#load()
  }

  /** Something about the recording changed, or the service answers again: if it is waited for, asks at once. (6) */
  nudge() {
    const { phase } = this.#state
    if (phase === 'waiting') void this.#look()
    else if (phase === 'failed' && this.#cutAt !== null && performance.now() - this.#cutAt < GOES_ON_MS) this.again()
  }

  close() {
    this.keepPlace()
    this.#wanted = false
    this.#forget()
    this.#unload()
    this.#set({ track: null, time: 0, duration: null, buffered: [], trouble: null }, 'close')
  }

  seek(to: number) {
    const { duration, track } = this.#state
    if (!track) return
    const time = Math.max(0, duration === null ? to : Math.min(to, duration))
    if (this.media.readyState > 0) this.media.currentTime = time
    else this.#resumeAt = time
    this.#set({ time })
  }

  skip(seconds: number) {
    this.seek(this.now() + seconds)
  }

  setRate(rate: number) {
    this.media.playbackRate = rate
    this.media.defaultPlaybackRate = rate
    keep('speed', rate)
    this.#set({ rate })
  }

  setVolume(volume: number) {
    this.media.volume = Math.min(1, Math.max(0, volume))
    this.media.muted = false
    keep('volume', this.media.volume)
  }

  toggleMuted() {
    this.media.muted = !this.media.muted
  }

  /** As setListening, but for the open recording alone: nothing is stored. */
  assume(change: Partial<Listening>) {
    this.#set({ listening: { ...this.#state.listening, ...change } })
    this.#listenAs()
  }

  /** A switch was pressed. */
  setListening(change: Partial<Listening>) {
    keepListening({ ...recallListening(), ...change })
    this.assume(change)
    if (this.#wanted) this.#sound.start()
  }

  /** The position at this very moment, for what is drawn each frame. */
  now() {
    return this.media.readyState > 0 ? this.media.currentTime : this.#state.time
  }

  destroy() {
    globalThis.removeEventListener?.('online', this.#online)
    this.close()
    solo.leave(this)
  }

  // ---- the audio ----

  #load() {
    const { track, rate } = this.#state
    if (!track) return
    this.#wanted = true
    this.media.src = track.src
    this.media.defaultPlaybackRate = rate
    this.media.playbackRate = rate
    this.#start()
  }

  #start() {
    solo.begins(this)
    this.#sound.start()
    this.media.play().catch((why: unknown) => {
      // Errors of the source come as events. The only other one is a browser that plays nothing before a click.
      if (why instanceof DOMException && why.name === 'NotAllowedError') this.pause()
    })
  }

  #unload() {
    this.media.removeAttribute('src')
    this.media.load()
  }

  #forget() {
    this.#cutAt = null
    this.#stopLooking()
    this.#mended()
  }

  #stopLooking() {
    clearTimeout(this.#timer)
    this.#asking?.abort()
    this.#asking = null
  }

  #mended() {
    this.#looks = 0
    this.#failedLoads = 0
    this.#brokeAt = null
  }

  #listen() {
    const on = (type: string, act: () => void) => this.media.addEventListener(type, () => this.#state.track && act())
    on('loadedmetadata', () => {
      if (this.#resumeAt > 0) this.media.currentTime = this.#resumeAt
      this.#resumeAt = 0
      this.#measure()
    })
    on('durationchange', () => this.#measure())
    on('playing', () => {
      this.#stopLooking()
      this.#set({ trouble: null }, 'playing')
    })
    on('waiting', () => this.#wanted && this.#set({}, this.media.currentTime > 0 ? 'stalled' : 'begun'))
    on('pause', () => {
      if (this.#wanted && (this.media.ended || this.media.error)) return
      if (this.#state.phase === 'waiting' || this.#state.phase === 'failed') return
      this.#wanted = false
      this.keepPlace()
      this.#set({}, 'halted')
    })
    on('ended', () => {
      this.#wanted = false
      this.#set({ time: this.#state.duration ?? this.media.currentTime }, 'finished')
      this.keepPlace()
    })
    on('timeupdate', () => this.#moved())
    on('seeking', () => this.#set({ time: this.media.currentTime }))
    on('progress', () => this.#set({ buffered: this.#spans() }))
    on('canplaythrough', () => this.#set({ buffered: this.#spans() }))
    on('error', () => void this.#broke())
    this.media.addEventListener('volumechange', () => this.#set({ volume: this.media.volume, muted: this.media.muted }))
  }

  #moved() {
    if (this.media.readyState === 0) return
    const time = this.media.currentTime
    this.#set({ time })
    if (this.#brokeAt !== null && Math.abs(time - this.#brokeAt) >= SOUND_S) this.#mended() // (5)
    if (Math.abs(time - this.#keptAt) >= KEEP_PLACE_S) this.keepPlace()
    if (this.#state.phase !== 'playing' || !this.#state.listening.skipSilence) return
    const on = afterSilence(this.#silences, time)
    if (on !== null) this.media.currentTime = on
  }

  /** (4) */
  keepPlace() {
    const { track, time, duration, phase } = this.#state
    if (!track || phase === 'empty' || this.media.readyState === 0) return
    this.#keptAt = time
    places.save(track.key, time, duration)
  }

  #listenAs() {
    const { duration, listening } = this.#state
    const peaks = this.#peaks
    this.#silences = peaks && duration !== null ? silencesOf(peaks, duration) : []
    const roles = rolesOf(this.#direction, listening.swapped)
    const channel = listening.side === null ? -1 : roles.indexOf(listening.side)
    this.#sound.wish({
      even: listening.evenLoudness,
      channel: channel >= 0 && (peaks?.length ?? 0) > 1 ? channel : null,
      gains: peaks ? gainsOf(peaks) : [],
    })
    if (this.#wanted) this.#sound.start()
  }

  #spans() {
    const { buffered } = this.media
    return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)] as const)
  }

  #measure() {
    const { track, duration } = this.#state
    if ((track?.duration === null || duration === null) && Number.isFinite(this.media.duration)) {
      this.#set({ duration: this.media.duration })
      this.#listenAs()
    }
  }

  // ---- when it does not come ----

  async #broke() {
    if (!this.media.src || !this.media.error) return
    const cut = this.media.error.code === MediaError.MEDIA_ERR_NETWORK
    if (this.media.readyState > 0 || cut) this.#resumeAt = this.#state.time
    this.#brokeAt ??= this.#state.time
    await this.#look()
  }

  async #look() {
    const { track } = this.#state
    if (!track) return
    this.#stopLooking()
    const asking = new AbortController()
    this.#asking = asking
    let answer: Answer
    try {
      answer = await this.ask(track, asking.signal)
    } catch {
      answer = { kind: 'trouble', code: 'offline', retryAt: null }
    }
    if (asking.signal.aborted) return
    this.#asking = null
    if (answer.kind === 'trouble') return this.#fail(answer)
    if (answer.kind === 'here') {
      if (this.#failedLoads++ < 2) return this.#load()
      if (answer.whole) return this.#fail({ code: 'unplayable', retryAt: null })
    }
    const after = lookAfter(this.#looks++, answer.retryAfter)
    if (after === null) return this.#fail({ code: 'not_ready', retryAt: null })
    this.#set({ trouble: null }, 'coming')
    this.#timer = setTimeout(() => void this.#look(), after)
  }

  #fail({ code, retryAt }: Trouble) {
    const wanted = this.#wanted
    this.#wanted = false
    this.#forget()
    if (code === 'offline' && wanted) this.#cutAt = performance.now()
    this.#set({ trouble: { code, retryAt } }, 'broken')
  }

  #set(change: Partial<PlayerState>, happening?: Happening) {
    const phase = happening ? phaseAfter(this.#state.phase, happening) : this.#state.phase
    this.#state = { ...this.#state, ...change, phase }
    for (const changed of this.#subscribers) changed()
  }
}
