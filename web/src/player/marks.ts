// Notes on the seek bar: a dot for each, or one for several that stand close together. Hover or focus tells the text, a press goes
// there. All dots are one stop of the Tab key; arrows go from one to the next.
import { clock } from '../i18n/format'
import { giveKeysBack, make } from './parts'
import type { Say, Seekable } from './seekbar'

export interface Mark {
  at: number | null // null: of the whole recording; it has no dot
  text: string
}
export interface Dot {
  at: number
  texts: string[]
}

const CLOSE_PX = 16
const TEXTS = 3 // that are told of one dot
const LETTERS = 160 // of each

/** The dots on a bar of `width` px, in order of time. Pure. */
export function dotsOf(marks: readonly Mark[], length: number, width: number): Dot[] {
  if (!(length > 0)) return []
  const close = width > 0 ? (CLOSE_PX / width) * length : 0
  const dots: Dot[] = []
  const timed = marks.flatMap(({ at, text }) => (at === null ? [] : [{ at: Math.min(at, length), text }]))
  for (const { at, text } of timed.sort((a, b) => a.at - b.at)) {
    const last = dots.at(-1)
    if (last && at - last.at < close) last.texts.push(text)
    else dots.push({ at, texts: [text] })
  }
  return dots
}

const shortened = (text: string) => {
  const letters = [...text.replace(/\s+/g, ' ').trim()]
  return letters.length > LETTERS ? `${letters.slice(0, LETTERS).join('')}…` : letters.join('')
}

export class Marks {
  readonly element: HTMLElement
  #tip = make('div', { class: 'cr-tip', 'aria-hidden': 'true' })
  #marks: readonly Mark[] = []
  #drawn = '' // of what
  #focus = 0 // which dot the Tab key comes to
  #size = new ResizeObserver(() => this.#draw())
  #undo: () => void

  constructor(
    private readonly player: Seekable,
    private readonly say: Say,
  ) {
    this.element = make('div', { class: 'cr-marks', dir: 'ltr', role: 'group', 'aria-label': say('notes') })
    this.#size.observe(this.element)
    this.#undo = player.subscribe(() => this.#draw())
    this.element.addEventListener('keydown', (event) => this.#pressed(event))
    this.element.addEventListener('pointerleave', () => this.#tell(null))
  }

  show(marks: readonly Mark[]) {
    this.#marks = marks
    this.#drawn = ''
    this.#draw()
  }

  destroy() {
    this.#undo()
    this.#size.disconnect()
    this.element.remove()
  }

  get #buttons() {
    return [...this.element.querySelectorAll<HTMLButtonElement>('.cr-mark')]
  }

  #draw() {
    const length = this.player.state.duration ?? 0
    const width = this.element.clientWidth
    const drawn = `${length} ${width}`
    if (drawn === this.#drawn) return
    this.#drawn = drawn
    const dots = dotsOf(this.#marks, length, width)
    const hadFocus = this.element.contains(this.element.ownerDocument.activeElement)
    this.#focus = Math.min(this.#focus, Math.max(0, dots.length - 1))
    this.element.hidden = dots.length === 0
    this.element.replaceChildren(...dots.map((dot, i) => this.#button(dot, i, length)), this.#tip)
    this.#tell(null)
    if (hadFocus) this.#buttons[this.#focus]?.focus()
  }

  #button(dot: Dot, i: number, length: number) {
    const at = clock(dot.at)
    const text = dot.texts.slice(0, TEXTS).map(shortened).join(' · ')
    const label = this.say(dot.texts.length > 1 ? 'notesAt' : 'noteAt', { at, text, n: dot.texts.length })
    const button = make('button', { type: 'button', class: 'cr-mark', 'aria-label': label })
    button.tabIndex = i === this.#focus ? 0 : -1
    button.style.left = `${(dot.at / length) * 100}%`
    if (dot.texts.length > 1) button.classList.add('cr-mark-several')
    button.addEventListener('click', (event) => {
      this.player.seek(dot.at)
      giveKeysBack(event)
    })
    button.addEventListener('pointerenter', () => this.#tell(button, dot))
    button.addEventListener('focus', () => {
      this.#focus = i
      for (const other of this.#buttons) other.tabIndex = other === button ? 0 : -1
      this.#tell(button, dot)
    })
    button.addEventListener('blur', () => this.#tell(null))
    return button
  }

  /** The text of a dot, over it. */
  #tell(button: HTMLElement | null, dot?: Dot) {
    this.#tip.classList.toggle('seen', button !== null)
    if (!button || !dot) return
    const more = dot.texts.length - TEXTS
    this.#tip.replaceChildren(
      make('b', { class: 'digits' }, clock(dot.at)),
      ...dot.texts.slice(0, TEXTS).map((text) => make('p', { dir: 'auto' }, shortened(text))),
      ...(more > 0 ? [make('p', {}, `+${more}`)] : []),
    )
    const room = this.element.clientWidth
    const half = Math.min(this.#tip.offsetWidth, room) / 2
    this.#tip.style.left = `${Math.min(room - half, Math.max(half, button.offsetLeft + button.offsetWidth / 2))}px`
  }

  #pressed(event: KeyboardEvent) {
    if (event.ctrlKey || event.altKey || event.metaKey) return
    const all = this.#buttons
    const to = { ArrowLeft: this.#focus - 1, ArrowRight: this.#focus + 1, Home: 0, End: all.length - 1 }[event.key]
    if (event.key === 'Escape' && this.#tip.classList.contains('seen')) this.#tell(null)
    else if (to !== undefined) all[to]?.focus()
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}
