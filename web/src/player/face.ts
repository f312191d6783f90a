// The player as people see it, in three parts that the page and the custom element put where they like: the buttons, the line
// with the time and the seek bar, and the tools (speed, volume, how to listen).
import { clock } from '../i18n/format'
import type { Engine } from './engine'
import { colourOfRole, type Listening, type Role, rolesOf } from './listening'
import { giveKeysBack, icon, iconButton, make } from './parts'
import type { Peaks } from './peaks'
import { isOn } from './phase'
import { type Say, SeekBar } from './seekbar'
import { canTreatSound } from './sound'
import { speeds } from './speeds'

const SAID_MS = 4000 // "Copied" stays that long

export interface FaceOptions {
  /** Null: there is no list with a next recording. */
  list: { next(): void; previous(): void } | null
  volume: boolean
  /** Audio of another origin can be played, but not processed. */
  treats: boolean
  /** Copies a link to this moment; null: there is none. */
  link: ((at: number) => Promise<boolean>) | null
  help: (() => void) | null
}

export class Face {
  readonly transport = make('div', { class: 'cr-transport', dir: 'ltr' })
  readonly line = make('div', { class: 'cr-line', dir: 'ltr' })
  readonly tools = make('div', { class: 'cr-tools' })
  readonly seekBar: SeekBar
  #play: HTMLButtonElement
  #time = make('span', { class: 'cr-time digits' })
  #total = make('span', { class: 'cr-time digits' })
  #sides = make('span', { class: 'cr-sides' })
  #panel: Panel
  #changes: (() => void)[] = []
  #peaks: Peaks | null = null
  #direction: string | null = null
  #swapped = false
  #undo: () => void

  constructor(
    private readonly engine: Engine,
    private readonly say: Say,
    options: FaceOptions,
  ) {
    this.seekBar = new SeekBar(engine, say)
    this.#play = iconButton('play', say('play'), (event) => this.#pressed(event), 'cr-play')
    const button = (name: Parameters<typeof iconButton>[0], act: () => void) =>
      iconButton(name, say(name), (event) => {
        act()
        giveKeysBack(event)
      })
    const { list } = options
    if (list) this.transport.append(button('previous', list.previous))
    this.transport.append(
      button('back', () => engine.skip(-10)),
      this.#play,
      button('forward', () => engine.skip(10)),
    )
    if (list) this.transport.append(button('next', list.next))
    this.line.append(this.#time, this.#sides, this.seekBar.place, this.#total)
    this.#panel = new Panel(engine, say, options)
    this.tools.append(
      this.#speed(),
      ...(options.volume ? [this.#volume()] : []),
      this.#panel.button,
      this.#panel.element,
    )
    this.#undo = engine.subscribe(() => this.#show())
    this.#show()
  }

  /** `direction`: of the open recording's call. */
  show(peaks: Peaks | null, direction: string | null) {
    this.#peaks = peaks
    this.#direction = direction
    this.#showSides()
  }

  #showSides() {
    const { swapped } = this.engine.state.listening
    this.#swapped = swapped
    const roles = rolesOf(this.#direction, swapped)
    const two = (this.#peaks?.length ?? 0) > 1
    this.seekBar.show(this.#peaks, two ? roles.map(colourOfRole) : [0])
    this.#sides.replaceChildren(...(two ? roles.map((role) => sideOf(role, this.say)) : []))
    this.#panel.offerSides(two ? roles : [])
  }

  destroy() {
    this.#undo()
    this.#panel.destroy()
    this.seekBar.destroy()
  }

  #pressed(event: MouseEvent) {
    if (event.detail > 1) return // the second half of a double click
    this.engine.toggle()
    giveKeysBack(event)
  }

  #speed() {
    const { say, engine } = this
    const select = make('select', { 'aria-label': say('speed'), title: say('speed'), class: 'cr-speed' })
    select.append(...speeds.map((rate) => make('option', { value: String(rate) }, say('speedOf', { rate }))))
    let byPointer = false
    select.addEventListener('pointerdown', () => {
      byPointer = true
    })
    select.addEventListener('keydown', () => {
      byPointer = false
    })
    select.addEventListener('change', () => {
      engine.setRate(Number(select.value))
      if (byPointer) select.blur()
    })
    this.#changes.push(() => {
      select.value = String(engine.state.rate)
    })
    return select
  }

  #volume() {
    const { say, engine } = this
    const mute = iconButton('volume', say('mute'), (event) => {
      engine.toggleMuted()
      giveKeysBack(event)
    })
    const slider = make('input', { type: 'range', min: '0', max: '1', step: '0.05', 'aria-label': say('volume') })
    slider.addEventListener('input', () => engine.setVolume(Number(slider.value)))
    slider.addEventListener('pointerup', () => slider.blur())
    this.#changes.push(() => {
      const { muted, volume } = engine.state
      slider.value = String(muted ? 0 : volume)
      const name = muted || volume === 0 ? 'muted' : 'volume'
      if (mute.dataset.icon === name) return
      mute.dataset.icon = name
      mute.setAttribute('aria-label', say(muted ? 'unmute' : 'mute'))
      mute.title = say(muted ? 'unmute' : 'mute')
      mute.replaceChildren(icon(name))
    })
    return make('span', { class: 'cr-volume', dir: 'ltr' }, mute, slider)
  }

  #show() {
    const { phase, time, duration, listening } = this.engine.state
    const on = isOn(phase)
    if (this.#play.dataset.on !== String(on)) {
      this.#play.dataset.on = String(on)
      this.#play.setAttribute('aria-label', this.say(on ? 'pause' : 'play'))
      this.#play.title = this.say(on ? 'pause' : 'play')
      this.#play.replaceChildren(icon(on ? 'pause' : 'play'))
    }
    if (listening.swapped !== this.#swapped) this.#showSides()
    write(this.#time, clock(time))
    write(this.#total, clock(duration))
    for (const change of this.#changes) change()
  }
}

function write(element: HTMLElement, text: string) {
  if (element.textContent !== text) element.textContent = text
}

/** The name of a side in its colour. */
export const sideOf = (role: Role, say: Say) => namedSide(say(role), colourOfRole(role))
export const namedSide = (name: string, colour: 0 | 1) =>
  make('span', { class: `cr-side cr-side-${colour}` }, make('bdi', {}, name))

/** How to listen: switches, one side alone, a link to this moment. */
class Panel {
  readonly button: HTMLButtonElement
  readonly element = make('div', { class: 'cr-panel', hidden: '' })
  #sides = make('fieldset', { class: 'cr-choice', hidden: '' })
  #swap: HTMLElement
  #undo: (() => void)[] = []
  #changes: (() => void)[] = []

  constructor(
    private readonly engine: Engine,
    private readonly say: Say,
    { treats, list, link, help }: FaceOptions,
  ) {
    this.button = iconButton('listen', say('listening'), () => this.#open(this.element.hidden))
    this.button.setAttribute('aria-expanded', 'false')
    this.element.setAttribute('role', 'group')
    this.element.setAttribute('aria-label', say('listening'))
    this.element.append(this.#switch('skipSilence'))
    this.#swap = this.#switch('swapped')
    this.#swap.hidden = true
    if (treats && canTreatSound()) this.element.append(this.#switch('evenLoudness'), this.#sides)
    this.element.append(this.#swap)
    if (list) this.element.append(this.#switch('onward'))
    if (link) this.element.append(this.#link(link))
    if (help) {
      const button = make('button', { type: 'button', class: 'cr-line-button' }, say('keys'))
      button.addEventListener('click', () => {
        this.#open(false)
        help()
      })
      this.element.append(button)
    }
    const outside = (event: Event) => {
      const path = event.composedPath()
      if (!path.includes(this.element) && !path.includes(this.button)) this.#open(false)
    }
    document.addEventListener('pointerdown', outside)
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || this.element.hidden) return
      event.stopPropagation()
      this.#open(false)
      this.button.focus()
    }
    for (const place of [this.button, this.element] as HTMLElement[]) place.addEventListener('keydown', pressed)
    this.#undo.push(
      () => document.removeEventListener('pointerdown', outside),
      engine.subscribe(() => this.#show()),
    )
    this.#show()
  }

  /** `roles`: of the channels; none: there is one channel. */
  offerSides(roles: readonly Role[]) {
    this.#sides.hidden = roles.length === 0
    this.#swap.hidden = !roles.includes('agent')
    const legend = make('legend', {}, this.say('side'))
    const choices = ([null, ...roles] as (Role | null)[]).map((role) => {
      const radio = make('input', { type: 'radio', name: 'cr-side', value: role ?? '' })
      radio.checked = this.engine.state.listening.side === role
      radio.addEventListener('change', () => this.engine.setListening({ side: role }))
      if (role === null) return make('label', {}, radio, this.say('bothSides'))
      return make('label', {}, radio, sideOf(role, this.say))
    })
    this.#sides.replaceChildren(legend, ...choices)
  }

  destroy() {
    for (const undo of this.#undo) undo()
  }

  #open(open: boolean) {
    this.element.hidden = !open
    this.button.setAttribute('aria-expanded', String(open))
  }

  #switch(name: keyof Omit<Listening, 'side'>) {
    const box = make('input', { type: 'checkbox', role: 'switch' })
    box.addEventListener('change', () => this.engine.setListening({ [name]: box.checked }))
    this.#changes.push(() => {
      box.checked = this.engine.state.listening[name]
    })
    return make('label', {}, box, this.say(name))
  }

  #link(copy: (at: number) => Promise<boolean>) {
    const button = make('button', { type: 'button', class: 'cr-line-button' })
    const copied = make('span', { role: 'status', class: 'cr-copied' })
    let timer: ReturnType<typeof setTimeout> | undefined
    this.#undo.push(() => clearTimeout(timer))
    button.addEventListener('click', async () => {
      copied.textContent = this.say((await copy(this.engine.now())) ? 'linkCopied' : 'linkNotCopied')
      clearTimeout(timer)
      timer = setTimeout(() => copied.replaceChildren(), SAID_MS)
    })
    this.#changes.push(() => {
      const words = this.say('linkAt', { at: clock(this.engine.state.time) })
      write(button, words)
    })
    return make('span', { class: 'cr-copy' }, button, copied)
  }

  #show() {
    for (const change of this.#changes) change()
  }
}
