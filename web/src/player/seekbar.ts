// The seek bar: the waveform or a plain line, the bytes that have arrived, the time under the pointer. Mouse, touch, pen and keys.
import { clock } from '../i18n/format'
import { make } from './parts'
import type { Peaks } from './peaks'
import { idle, type PointerStep, type Seeking, seekingAfter, timeAt, timeByKey } from './seeking'
import type { PlayerState } from './types'
import { Wave } from './wave'

export type Say = (key: string, values?: Record<string, string | number>) => string

/** The source that a bar shows and moves: the player, or one recording of a page. */
export interface Seekable {
  readonly state: Pick<PlayerState, 'phase' | 'time' | 'duration' | 'buffered'>
  subscribe(changed: () => void): () => void
  now(): number
  seek(to: number): void
}

export class SeekBar {
  /** The bar, and the elements on it. */
  readonly place: HTMLElement
  readonly element: HTMLElement
  #wave = new Wave()
  #arrived = make('span', { class: 'seek-arrived' })
  #line: HTMLElement
  #bubble = make('span', { class: 'seek-bubble digits', 'aria-hidden': 'true' })
  #seeking: Seeking = idle
  #frame = 0
  #buffered: PlayerStateSpans = []
  #undo: () => void

  constructor(
    private readonly engine: Seekable,
    private readonly say: Say,
    name = say('position'),
  ) {
    this.#line = make('div', { class: 'seek-track' }, this.#arrived)
    this.element = make(
      'div',
      { class: 'seek', dir: 'ltr', role: 'slider', tabindex: '0', 'aria-label': name, 'aria-valuemin': '0' },
      this.#wave.element,
      this.#line,
      make('span', { class: 'seek-cursor' }),
      this.#bubble,
    )
    this.place = make('div', { class: 'seek-place' }, this.element)
    this.#hear()
    this.#undo = engine.subscribe(() => this.#changed())
    this.#changed()
  }

  /** The peaks of what is open; null: none (yet). `sides`: the colour of each channel, 0 or 1. */
  show(peaks: Peaks | null, sides: readonly number[] = [0, 1]) {
    this.element.classList.toggle('seek-wave', peaks !== null && peaks.length > 0)
    this.#wave.show(peaks, sides)
  }

  /** The share of a recording that the server has fetched so far, 0 to 1. */
  arrived(share: number) {
    this.#arrived.style.inlineSize = `${Math.min(1, share) * 100}%`
  }

  destroy() {
    this.#undo()
    cancelAnimationFrame(this.#frame)
    this.#wave.destroy()
  }

  get #length() {
    return this.engine.state.duration ?? 0
  }

  #hear() {
    const { element } = this
    const pointer = (type: 'down' | 'move' | 'up') => (event: PointerEvent) => {
      const at = timeAt(event.clientX, element.getBoundingClientRect(), this.#length)
      if (type === 'down') {
        if (event.button !== 0 || this.#length === 0) return
        element.setPointerCapture(event.pointerId)
      }
      this.#step({ type, pointer: event.pointerId, at })
      this.#point(event.pointerType === 'mouse' || this.#seeking.kind === 'dragging' ? at : null)
    }
    element.addEventListener('pointerdown', pointer('down'))
    element.addEventListener('pointermove', pointer('move'))
    element.addEventListener('pointerup', (event) => {
      pointer('up')(event)
      if (event.pointerType !== 'mouse') this.#point(null)
      element.blur() // the keys are the player's
    })
    element.addEventListener('pointercancel', (event) => {
      this.#step({ type: 'cancel', pointer: event.pointerId })
      this.#point(null)
    })
    element.addEventListener('pointerleave', () => this.#seeking.kind === 'idle' && this.#point(null))
    element.addEventListener('keydown', (event) => this.#pressed(event))
  }

  #step(step: PointerStep) {
    const { next, seek } = seekingAfter(this.#seeking, step)
    this.#seeking = next
    if (seek !== null) this.engine.seek(seek)
    this.element.classList.toggle('seek-dragged', next.kind === 'dragging')
    this.#move()
    this.#tell()
  }

  /** The time under the pointer. */
  #point(at: number | null) {
    this.#bubble.classList.toggle('seen', at !== null && this.#length > 0)
    if (at === null || this.#length === 0) return
    this.#bubble.textContent = clock(at)
    const room = this.element.clientWidth
    const half = Math.min(this.#bubble.offsetWidth / 2, room / 2)
    const x = (at / this.#length) * room
    this.#bubble.style.left = `${Math.min(room - half, Math.max(half, x))}px`
  }

  #pressed(event: KeyboardEvent) {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    if (event.key === 'Escape') return this.#step({ type: 'cancel' })
    const to = timeByKey(event.key, this.engine.now(), this.#length)
    if (to === null || this.#length === 0) return
    this.engine.seek(to)
    event.preventDefault()
  }

  #shownAt() {
    return this.#seeking.kind === 'dragging' ? this.#seeking.at : this.engine.now()
  }

  #move() {
    const share = this.#length > 0 ? Math.min(1, this.#shownAt() / this.#length) : 0
    this.element.style.setProperty('--at', String(share))
  }

  /** Each frame while it plays, else when something changes. */
  #changed() {
    const { phase, buffered } = this.engine.state
    if (buffered !== this.#buffered) this.#showBuffered(buffered)
    this.#tell()
    this.#move()
    if (phase !== 'playing' || this.#frame) return
    const step = () => {
      this.#move()
      this.#frame = this.engine.state.phase === 'playing' ? requestAnimationFrame(step) : 0
    }
    this.#frame = requestAnimationFrame(step)
  }

  #tell() {
    const { duration, time } = this.engine.state
    const at = this.#seeking.kind === 'dragging' ? this.#seeking.at : time
    const set = (name: string, value: string) =>
      this.element.getAttribute(name) !== value && this.element.setAttribute(name, value)
    set('aria-valuemax', String(Math.floor(duration ?? 0)))
    set('aria-valuenow', String(Math.floor(Math.min(at, duration ?? at))))
    set('aria-disabled', String(this.#length === 0))
    const total = duration === null ? null : clock(duration)
    set('aria-valuetext', total === null ? clock(at) : this.say('positionOf', { at: clock(at), total }))
  }

  #showBuffered(buffered: PlayerStateSpans) {
    this.#buffered = buffered
    const length = this.#length
    for (const old of this.#line.querySelectorAll('.seek-buffered')) old.remove()
    if (length === 0) return
    for (const [from, to] of buffered) {
      const span = make('span', { class: 'seek-buffered' })
      span.style.left = `${(from / length) * 100}%`
      span.style.inlineSize = `${(Math.min(1, to / length) - from / length) * 100}%`
      this.#line.append(span)
    }
  }
}

type PlayerStateSpans = readonly (readonly [number, number])[]
