// Draws a waveform: two canvases over each other, of which the upper one, in full colours, is cut where the sound is. Playing
// moves the cut and draws nothing.
import { barsOf, loudestOf, type Peaks } from './peaks'

const BAR = 2
const GAP = 1

export class Wave {
  readonly element = document.createElement('div')
  #rest = document.createElement('canvas')
  #played = document.createElement('canvas')
  #peaks: Peaks | null = null
  #sides: readonly number[] = [0, 1]
  #size = new ResizeObserver(() => this.draw())
  #forget: () => void

  constructor() {
    this.element.className = 'seek-canvas'
    this.#rest.className = 'seek-rest'
    this.#played.className = 'seek-done'
    this.element.append(this.#rest, this.#played)
    this.#size.observe(this.element)
    this.#forget = whenColoursChange(() => this.draw())
  }

  /** `sides`: the colour of each channel, 0 or 1. */
  show(peaks: Peaks | null, sides: readonly number[]) {
    this.#peaks = peaks
    this.#sides = sides
    this.draw()
  }

  destroy() {
    this.#size.disconnect()
    this.#forget()
  }

  /** Draws it again: another size, other colours. */
  draw() {
    const { clientWidth: width, clientHeight: height } = this.element
    if (width === 0 || height === 0) return
    const colours = (end: string) =>
      this.#sides.map((side) => colourOf(this.element, (side === 0 ? '--first' : '--second') + end))
    paint(this.#rest, this.#peaks, width, height, colours('-rest'))
    paint(this.#played, this.#peaks, width, height, colours(''))
  }
}

/** The theme, or the system's colours. */
function whenColoursChange(act: () => void): () => void {
  const queries = ['(prefers-color-scheme: dark)', '(forced-colors: active)'].map((query) => matchMedia(query))
  const theme = new MutationObserver(act)
  theme.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  for (const query of queries) query.addEventListener('change', act)
  return () => {
    theme.disconnect()
    for (const query of queries) query.removeEventListener('change', act)
  }
}

/** The colour of a custom property, in a form that a canvas knows. */
function colourOf(parent: HTMLElement, property: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${property})`
  parent.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

function paint(canvas: HTMLCanvasElement, peaks: Peaks | null, width: number, height: number, colours: string[]) {
  const scale = window.devicePixelRatio || 1
  canvas.width = Math.round(width * scale)
  canvas.height = Math.round(height * scale)
  const pen = canvas.getContext('2d')
  if (!pen || !peaks || peaks.length === 0) return
  pen.scale(scale, scale)
  const bars = Math.max(1, Math.floor(width / (BAR + GAP)))
  const loudest = loudestOf(peaks)
  const step = width / bars
  const both = peaks.length > 1
  peaks.forEach((points, channel) => {
    pen.fillStyle = colours[channel] ?? colours[0] ?? '#000'
    const middle = height / 2
    barsOf(points, bars, loudest).forEach((loud, i) => {
      const half = Math.max(0.75, loud * (middle - 1))
      const x = i * step
      if (!both) pen.fillRect(x, middle - half, BAR, half * 2)
      else if (channel === 0) pen.fillRect(x, middle - half - 0.5, BAR, half)
      else pen.fillRect(x, middle + 0.5, BAR, half)
    })
  })
}
