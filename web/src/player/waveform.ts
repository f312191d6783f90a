// Draws a waveform from the server's peaks with wavesurfer.js. It loads no audio: the page's <audio> plays.
import WaveSurfer from 'wavesurfer.js'
import type { Waveform } from '../api/types'

/** For each channel the greatest excursion of each point, 0 to 1. */
export function peaksOf({ channels, length, data }: Waveform): Float32Array[] {
  return Array.from({ length: Math.min(2, channels) }, (_, c) =>
    Float32Array.from({ length }, (_, i) => {
      const at = (i * channels + c) * 2
      return Math.max(Math.abs(data[at] ?? 0), Math.abs(data[at + 1] ?? 0)) / 128
    }),
  )
}

export interface Drawing {
  show(seconds: number): void
  colours(): void
  destroy(): void
}

/** What a custom property comes to, in a form that a canvas knows. */
function colourOf(parent: HTMLElement, property: string): string {
  const probe = document.createElement('i')
  probe.style.color = `var(${property})`
  parent.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** `parent`'s custom properties --wave and --played are the colours. */
export function draw(parent: HTMLElement, waveform: Waveform, duration: number, height: number): Drawing {
  // Built outside of the document and given its rules as a sheet: a <style> there would need 'unsafe-inline'.
  const container = document.createElement('div')
  const colours = () => ({ waveColor: colourOf(parent, '--wave'), progressColor: colourOf(parent, '--played') })
  const surfer = WaveSurfer.create({
    container,
    height,
    peaks: peaksOf(waveform),
    duration,
    interact: false,
    cursorWidth: 0,
    barWidth: 2,
    barGap: 1,
    barRadius: 2,
    normalize: true,
    hideScrollbar: true,
    ...colours(),
  })
  const root = surfer.getWrapper().getRootNode()
  if (root instanceof ShadowRoot) {
    const rules = root.querySelector('style')
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(rules?.textContent ?? '')
    root.adoptedStyleSheets = [sheet]
    rules?.remove()
  }
  parent.append(container)
  return {
    show: (seconds) => surfer.setTime(Math.min(seconds, duration)),
    colours: () => surfer.setOptions(colours()),
    destroy: () => {
      surfer.destroy()
      container.remove()
    },
  }
}
