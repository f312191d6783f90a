// <callreel-player src="signed URL">: one recording, for pages of other origins. No framework; its rules are its own. Attributes:
// src, duration (seconds), start (where it begins, seconds), direction (inbound or outbound: who is on which channel), swapped
// (true or false: the sides are the other way; without it, as this listener left them).

import { Engine } from '../player/engine'
import { Face } from '../player/face'
import core from '../player/face.css?inline'
import { playByKey } from '../player/keys'
import { secondsIn } from '../player/moment'
import { icon, make } from '../player/parts'
import { peaksOf, secondsOf } from '../player/peaks'
import type { PlayerState } from '../player/types'
import { saveAs } from '../ui/saveAs'
import { askStream, cardFor, downloadOf, keyOf, peaksFor, urlOf } from './ask'
import rules from './element.css?inline'
import { wordsFor } from './words'

let sheet: CSSStyleSheet | undefined
function sharedSheet() {
  if (!sheet) {
    sheet = new CSSStyleSheet()
    sheet.replaceSync(core + rules)
  }
  return sheet
}

export class CallreelPlayer extends HTMLElement {
  static observedAttributes = ['src', 'duration', 'start', 'direction', 'swapped']
  #engine: Engine | null = null
  #face: Face | null = null
  #undo: (() => void)[] = []

  connectedCallback() {
    this.#build()
  }
  disconnectedCallback() {
    this.#takeDown()
  }
  attributeChangedCallback() {
    if (!this.shadowRoot || !this.isConnected) return
    this.#takeDown()
    this.#build()
  }

  #takeDown() {
    for (const undo of this.#undo.splice(0)) undo()
    this.#face?.destroy()
    this.#engine?.destroy()
    this.#face = null
    this.#engine = null
  }

  #build() {
    const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
    root.adoptedStyleSheets = [sharedSheet()]
    root.replaceChildren()
    const src = urlOf(this.getAttribute('src'))
    if (!src) return
    const { say } = wordsFor(this)
    const audio = make('audio', { preload: 'none' })
    const telling = make('p', { class: 'telling', role: 'status' })
    const save = make('a', { class: 'cr-button', href: downloadOf(src), download: '', 'aria-label': say('download') })
    save.append(icon('download'))
    save.addEventListener('click', (event) => {
      event.preventDefault()
      void this.#save(save, src, telling)
    })
    const engine = new Engine(audio, (_, signal) => askStream(src.href, signal))
    const face = new Face(engine, (key, values) => say(key as Parameters<typeof say>[0], values), {
      list: null,
      volume: false,
      treats: src.origin === location.origin,
      link: null,
      help: null,
    })
    this.#engine = engine
    this.#face = face
    const player = make('div', { class: 'player', role: 'group', 'aria-label': say('player') })
    player.append(face.transport, face.line, face.tools, save, telling)
    root.append(audio, player)
    root.addEventListener('keydown', this.#pressed)
    const show = () => this.#show(engine.state, src, telling)
    this.#undo.push(engine.subscribe(show), () => root.removeEventListener('keydown', this.#pressed))
    const seconds = Number(this.getAttribute('duration'))
    const track = { key: keyOf(src), src: src.href, duration: seconds > 0 ? seconds : null }
    const start = secondsIn(this.getAttribute('start'))
    const swapped = this.getAttribute('swapped')
    if (swapped !== null) engine.assume({ swapped: swapped !== 'false' })
    engine.cue(track, start ?? undefined)
    this.#drawLater(engine, face, src)
  }

  #pressed = (event: Event) => {
    if (this.#engine) playByKey(this.#engine, event as KeyboardEvent, () => false)
  }

  /** The peaks are asked for when it first plays, or at once where the page says so with the attribute `eager`. */
  #drawLater(engine: Engine, face: Face, src: URL) {
    const direction = this.getAttribute('direction')
    let asked = false
    const draw = async () => {
      asked = true
      const waveform = await peaksFor(src.href)
      if (!waveform || waveform.length === 0 || this.#engine !== engine) return
      const peaks = peaksOf(waveform)
      if (engine.state.duration === null) engine.learn(secondsOf(waveform))
      face.show(peaks, direction)
      engine.hear(peaks, direction)
    }
    if (this.hasAttribute('eager')) return void draw()
    const whenKnown = () => {
      const { phase, duration } = engine.state
      if (!asked && phase === 'playing' && duration !== null) void draw()
    }
    this.#undo.push(engine.subscribe(whenKnown))
  }

  /** A browser shows nothing when a download is refused, so this asks before, unless the page may not ask (another origin). */
  async #save(link: HTMLAnchorElement, src: URL, telling: HTMLElement) {
    const { problem } = await cardFor(src.href)
    if (problem === null || problem === 'offline') return saveAs(link.href)
    telling.dataset.text = ''
    telling.classList.add('trouble')
    telling.replaceChildren(this.#wordsOf(problem, src))
  }

  #wordsOf(code: string, src: URL) {
    const { say, error } = wordsFor(this)
    if (code === 'not_ready') return say('stillWaiting')
    return code === 'unauthorized' && src.searchParams.has('sig') ? say('noLongerValid') : error(code)
  }

  /** The state of the recording, in words. */
  #show({ phase, trouble }: PlayerState, src: URL, telling: HTMLElement) {
    const { say } = wordsFor(this)
    const words = phase === 'waiting' || phase === 'starting' || phase === 'buffering' ? say(phase) : ''
    const text = trouble ? this.#wordsOf(trouble.code, src) : words
    if (telling.dataset.text === text) return
    telling.dataset.text = text
    telling.classList.toggle('trouble', trouble !== null)
    telling.replaceChildren(text ?? '')
    if (trouble && trouble.code !== 'gone' && trouble.code !== 'unauthorized') {
      const again = make('button', { type: 'button' }, say('askAgain'))
      again.addEventListener('click', () => this.#engine?.again())
      telling.append(' ', again)
    }
  }
}

if (!customElements.get('callreel-player')) customElements.define('callreel-player', CallreelPlayer)
