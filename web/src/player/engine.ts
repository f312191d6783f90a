// Plays one recording at a time through one <audio>. Knows nothing of pages: the page of calls and the custom element use it.
//
//   empty -open-> starting -> playing <-> paused, buffering, ended
//                    |           |
//                    +-- error --+--> asks why --> waiting (it is on its way: looks again) | failed
//
// (1) Nothing is requested before somebody presses play.
// (2) The length is the catalog's where it is known: that of an arriving file is a guess.
// (3) Whoever waits is told why, and plays from where they were when the audio comes.
import { keep, recall } from '../app/kept'
import { lookAfter } from './backoff'
import type { Answer, PlayerState, Track, Trouble } from './types'

export const speeds = [1, 1.25, 1.5, 2] as const
const alone = new Set<Engine>()

export class Engine {
  #state: PlayerState
  #tell = new Set<() => void>()
  #wanted = false // the listener wants sound
  #resumeAt = 0 // seconds, applied when the audio is there
  #looks = 0
  #failedLoads = 0 // in a row, although the recording is here
  #timer: ReturnType<typeof setTimeout> | undefined
  #asking: AbortController | null = null

  constructor(
    readonly media: HTMLAudioElement,
    private readonly ask: (track: Track, signal: AbortSignal) => Promise<Answer>,
  ) {
    const rate = recall<number>('speed', 1)
    const volume = recall<number>('volume', 1)
    media.preload = 'none'
    media.volume = volume >= 0 && volume <= 1 ? volume : 1
    this.#state = {
      track: null,
      phase: 'empty',
      time: 0,
      duration: null,
      buffered: [],
      rate: (speeds as readonly number[]).includes(rate) ? rate : 1,
      volume: media.volume,
      muted: false,
      trouble: null,
    }
    alone.add(this)
    this.#listen()
  }

  get state() {
    return this.#state
  }

  subscribe = (tell: () => void) => {
    this.#tell.add(tell)
    return () => {
      this.#tell.delete(tell)
    }
  }

  /** Opens a recording and plays it; one that is open already goes on. */
  open(track: Track) {
    if (this.#state.track?.key === track.key && this.#state.phase !== 'failed') return this.play()
    this.#forget()
    this.#resumeAt = 0
    this.#set({ track, phase: 'starting', time: 0, duration: track.duration, buffered: [], trouble: null })
    this.#load()
  }

  /** The catalog knows better by now. */
  learn(duration: number | null) {
    if (duration !== null && this.#state.track) this.#set({ duration })
  }

  play() {
    const { track, phase } = this.#state
    if (!track) return
    this.#wanted = true
    if (phase === 'failed' || phase === 'waiting') return this.again()
    if (!this.media.src) return this.#load()
    if (phase !== 'playing') this.#set({ phase: 'starting' })
    this.#start()
  }

  pause() {
    this.#wanted = false
    this.#forget()
    this.media.pause()
    if (this.#state.track && this.#state.phase !== 'ended') this.#set({ phase: 'paused' })
  }

  toggle() {
    if (this.#wanted && this.#state.phase !== 'failed' && this.#state.phase !== 'ended') this.pause()
    else this.play()
  }

  /** From the beginning of asking: a person pressed "try again". */
  again() {
    if (!this.#state.track) return
    this.#forget()
    this.#set({ phase: 'starting', trouble: null })
    this.#load()
  }

  /** Something about the recording changed: whoever waits looks at once. */
  nudge() {
    if (this.#state.phase === 'waiting') void this.#look()
  }

  close() {
    this.#wanted = false
    this.#forget()
    this.#unload()
    this.#set({ track: null, phase: 'empty', time: 0, duration: null, buffered: [], trouble: null })
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

  /** The position at this very moment, for what is drawn each frame. */
  now() {
    return this.media.readyState > 0 ? this.media.currentTime : this.#state.time
  }

  destroy() {
    this.close()
    alone.delete(this)
  }

  // ---- the audio ----

  #load() {
    const { track, rate } = this.#state
    if (!track) return
    for (const other of alone) if (other !== this) other.pause()
    this.#wanted = true
    this.media.src = track.src
    this.media.defaultPlaybackRate = rate
    this.media.playbackRate = rate
    this.#start()
  }

  #start() {
    for (const other of alone) if (other !== this && other.#wanted) other.pause()
    this.media.play().catch((why: unknown) => {
      // Errors of the source come as events; what is left is a browser that wants to be clicked first.
      if (why instanceof DOMException && why.name === 'NotAllowedError') this.pause()
    })
  }

  #unload() {
    this.media.removeAttribute('src')
    this.media.load()
  }

  #forget() {
    clearTimeout(this.#timer)
    this.#asking?.abort()
    this.#asking = null
    this.#looks = 0
    this.#failedLoads = 0
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
      this.#forget()
      this.#set({ phase: 'playing', trouble: null })
    })
    on('waiting', () => this.#wanted && this.#set({ phase: this.media.currentTime > 0 ? 'buffering' : 'starting' }))
    on('pause', () => {
      if (this.#wanted && (this.media.ended || this.media.error)) return
      if (this.#state.phase === 'waiting' || this.#state.phase === 'failed') return
      this.#wanted = false
      this.#set({ phase: 'paused' })
    })
    on('ended', () => {
      this.#wanted = false
      this.#set({ phase: 'ended', time: this.#state.duration ?? this.media.currentTime })
    })
    on('timeupdate', () => {
      if (this.media.readyState > 0) this.#set({ time: this.media.currentTime })
    })
    on('seeking', () => this.#set({ time: this.media.currentTime }))
    on('progress', () => this.#set({ buffered: this.#spans() }))
    on('canplaythrough', () => this.#set({ buffered: this.#spans() }))
    on('error', () => void this.#broke())
    this.media.addEventListener('volumechange', () => this.#set({ volume: this.media.volume, muted: this.media.muted }))
  }

  #spans() {
    const { buffered } = this.media
    return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)] as const)
  }

  #measure() {
    const { track, duration } = this.#state
    if (track?.duration === null && Number.isFinite(this.media.duration)) this.#set({ duration: this.media.duration })
    else if (duration === null && Number.isFinite(this.media.duration)) this.#set({ duration: this.media.duration })
  }

  // ---- when it does not come ----

  async #broke() {
    if (!this.media.src || !this.media.error) return
    const cut = this.media.error.code === MediaError.MEDIA_ERR_NETWORK
    if (this.media.readyState > 0 || cut) this.#resumeAt = this.#state.time
    await this.#look()
  }

  async #look() {
    const { track } = this.#state
    if (!track) return
    clearTimeout(this.#timer)
    this.#asking?.abort()
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
    this.#set({ phase: 'waiting', trouble: null })
    this.#timer = setTimeout(() => void this.#look(), after)
  }

  #fail({ code, retryAt }: Trouble) {
    this.#wanted = false
    this.#forget()
    this.#set({ phase: 'failed', trouble: { code, retryAt } })
  }

  #set(change: Partial<PlayerState>) {
    this.#state = { ...this.#state, ...change }
    for (const tell of this.#tell) tell()
  }
}
