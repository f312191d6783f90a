// <callreel-player src="signed URL">: one recording, for pages of other origins. No framework; its rules are its own.
import { clock } from '../i18n/format'
import { Engine, speeds } from '../player/engine'
import { playByKey } from '../player/keys'
import type { PlayerState } from '../player/types'
import { type Drawing, draw } from '../player/waveform'
import { askStream, downloadOf, peaksFor } from './ask'
import rules from './element.css?inline'
import { wordsFor } from './words'

const PLAY = 'M8 5.5v13a.6.6 0 0 0 .92.5l10-6.5a.6.6 0 0 0 0-1l-10-6.5a.6.6 0 0 0-.92.5Z'
const PAUSE =
  'M7 6a1 1 0 0 1 1-1h1.600a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1ZM13.4 6a1 1 0 0 1 1-1H16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1h-1.600a1 1 0 0 1-1-1Z'
const SAVE = 'M12 4v11m-4.5-4.500L12 15l4.5-4.500M5 19.500h14'

let sheet: CSSStyleSheet | undefined
function sharedSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(rules)
  }
  return sheet
}

type Attributes = Record<string, string>
function make<K extends keyof HTMLElementTagNameMap>(name: K, attributes: Attributes = {}, ...inside: Node[]) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...inside)
  return element
}
function icon(d: string, filled: boolean) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path')
  svg.setAttribute('viewBox', '0 0 24 24')
  svg.setAttribute('aria-hidden', 'true')
  svg.setAttribute('fill', filled ? 'currentColor' : 'none')
  if (!filled)
    for (const [name, value] of [
      ['stroke', 'currentColor'],
      ['stroke-width', '1.75'],
      ['stroke-linecap', 'round'],
      ['stroke-linejoin', 'round'],
    ] as const)
      svg.setAttribute(name, value)
  path.setAttribute('d', d)
  svg.append(path)
  return svg
}

export class CallreelPlayer extends HTMLElement {
  static observedAttributes = ['src', 'duration']
  #engine: Engine | null = null
  #undo: (() => void)[] = []

  connectedCallback() {
    this.#build()
  }
  disconnectedCallback() {
    this.#takeDown()
  }
  attributeChangedCallback() {
    if (!this.isConnected || !this.#engine) return
    this.#takeDown()
    this.#build()
  }

  #takeDown() {
    for (const undo of this.#undo.splice(0)) undo()
    this.#engine?.destroy()
    this.#engine = null
  }

  #build() {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [sharedSheet()]
    root.replaceChildren()
    const src = this.getAttribute('src')
    if (!src) return
    const { say } = wordsFor(this)
    const seconds = Number(this.getAttribute('duration'))
    const audio = make('audio', { preload: 'none' })
    const button = make('button', { type: 'button', class: 'play' })
    const wave = make('div', { class: 'wave' })
    const loaded = make('span')
    const track = make('div', { class: 'track' }, loaded, make('span', { class: 'done' }))
    const slider = make('input', { type: 'range', min: '0', step: '0.1', value: '0', 'aria-label': say('position') })
    const seek = make('div', { class: 'seek', dir: 'ltr' }, wave, track, slider)
    const time = make('span', { class: 'time', dir: 'ltr' })
    const speed = make(
      'select',
      { 'aria-label': say('speed') },
      ...speeds.map((rate) =>
        make('option', { value: String(rate) }, document.createTextNode(say('speedOf', { rate }))),
      ),
    )
    const save = make('a', { href: downloadOf(src), download: '', 'aria-label': say('download') }, icon(SAVE, false))
    const telling = make('p', { class: 'telling', role: 'status' })
    root.append(
      audio,
      make(
        'div',
        { class: 'player', role: 'group', 'aria-label': say('player') },
        button,
        seek,
        time,
        speed,
        save,
        telling,
      ),
    )

    const engine = new Engine(audio, (_, signal) => askStream(src, signal))
    this.#engine = engine
    const open = { key: src, src: new URL(src, document.baseURI).href, duration: seconds > 0 ? seconds : null }
    const toggle = () => (engine.state.track ? engine.toggle() : this.#open(engine, open, seek, wave, src))
    button.addEventListener('click', toggle)
    speed.addEventListener('change', () => engine.setRate(Number(speed.value)))
    slider.addEventListener('change', () => engine.seek(Number(slider.value)))
    root.addEventListener('keydown', (event) => engine.state.track && playByKey(engine, event as KeyboardEvent, true))
    const show = () => this.#show(engine.state, { button, slider, time, speed, telling, loaded }, engine)
    this.#undo.push(engine.subscribe(show))
    show()
    this.#follow(engine, seek)
  }

  #drawing: Drawing | null = null

  /** Nothing is asked before the first press: neither the audio nor its peaks. */
  #open(engine: Engine, track: Parameters<Engine['open']>[0], seek: HTMLElement, wave: HTMLElement, src: string) {
    engine.open(track)
    let asked = false
    const whenKnown = async () => {
      const { phase, duration } = engine.state
      if (asked || phase !== 'playing' || duration === null) return
      asked = true
      const peaks = await peaksFor(src)
      if (!peaks || peaks.length === 0 || this.#engine !== engine) return
      this.#drawing = draw(wave, peaks, duration, 30)
      seek.classList.add('drawn')
    }
    this.#undo.push(
      engine.subscribe(() => void whenKnown()),
      () => {
        this.#drawing?.destroy()
        this.#drawing = null
      },
    )
  }

  #follow(engine: Engine, seek: HTMLElement) {
    let frame = 0
    const step = () => {
      const { duration, phase } = engine.state
      seek.style.setProperty('--at', String(duration ? Math.min(1, engine.now() / duration) : 0))
      if (duration) this.#drawing?.show(engine.now())
      frame = phase === 'playing' ? requestAnimationFrame(step) : 0
    }
    this.#undo.push(
      engine.subscribe(() => {
        if (!frame) frame = requestAnimationFrame(step)
      }),
      () => cancelAnimationFrame(frame),
    )
  }

  #show(state: PlayerState, part: Parts, engine: Engine) {
    const { say, error } = wordsFor(this)
    const { phase, time, duration, trouble, buffered } = state
    const on = phase === 'playing' || phase === 'starting' || phase === 'buffering' || phase === 'waiting'
    if (part.button.dataset.on !== String(on)) {
      part.button.dataset.on = String(on)
      part.button.setAttribute('aria-label', say(on ? 'pause' : 'play'))
      part.button.replaceChildren(icon(on ? PAUSE : PLAY, true))
    }
    part.slider.disabled = !duration
    part.slider.max = String(duration ?? 1)
    if (part.slider !== this.shadowRoot?.activeElement || phase === 'playing') part.slider.value = String(time)
    part.slider.setAttribute(
      'aria-valuetext',
      duration ? say('positionOf', { at: clock(time), total: clock(duration) }) : clock(time),
    )
    part.time.textContent = duration ? `${clock(time)} / ${clock(duration)}` : clock(time)
    part.speed.value = String(state.rate)
    const end = buffered.at(-1)?.[1] ?? 0
    part.loaded.style.inlineSize = duration ? `${Math.min(1, end / duration) * 100}%` : '0'
    const words =
      phase === 'waiting'
        ? say('waiting')
        : phase === 'starting'
          ? say('starting')
          : phase === 'buffering'
            ? say('buffering')
            : ''
    const text = trouble ? (trouble.code === 'not_ready' ? say('stillWaiting') : error(trouble.code)) : words
    if (part.telling.dataset.text === text) return
    part.telling.dataset.text = text
    part.telling.classList.toggle('trouble', trouble !== null)
    part.telling.replaceChildren(text)
    if (trouble && trouble.code !== 'gone' && trouble.code !== 'unauthorized') {
      const again = make('button', { type: 'button' }, document.createTextNode(say('askAgain')))
      again.addEventListener('click', () => engine.again())
      part.telling.append(' ', again)
    }
  }
}

interface Parts {
  button: HTMLButtonElement
  slider: HTMLInputElement
  time: HTMLElement
  speed: HTMLSelectElement
  telling: HTMLElement
  loaded: HTMLElement
}

if (!customElements.get('callreel-player')) customElements.define('callreel-player', CallreelPlayer)
