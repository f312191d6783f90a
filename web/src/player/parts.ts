// Elements of the player without a framework: the page and the custom element are both built of them.
const NS = 'http://www.w3.org/2000/svg'

const filled = {
  play: 'M8 5.5v13a.6.6 0 0 0 .92.5l10-6.5a.6.6 0 0 0 0-1l-10-6.5a.6.6 0 0 0-.92.5Z',
  pause:
    'M7 6a1 1 0 0 1 1-1h1.6a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1ZM13.4 6a1 1 0 0 1 1-1H16a1 1 0 0 1 1 1v12a1 1 0 0 1-1 1h-1.6a1 1 0 0 1-1-1Z',
  previous: 'M6 5.5h2v13H6Zm13 .6v11.8a.6.6 0 0 1-.95.5l-8.2-5.9a.6.6 0 0 1 0-1l8.2-5.9a.6.6 0 0 1 .95.5Z',
  next: 'M16 5.5h2v13h-2ZM5 6.1v11.8a.6.6 0 0 0 .95.5l8.2-5.9a.6.6 0 0 0 0-1L5.950 5.6A.6.6 0 0 0 5 6.1Z',
} as const
const lines = {
  back: 'M3.5 3.5v5h5M4.2 8.5A8.5 8.5 0 1 1 3.5 13',
  forward: 'M20.5 3.5v5h-5M19.8 8.5A8.5 8.5 0 1 0 20.5 13',
  volume: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm11.5-1a5 5 0 0 1 0 7m2.5-9.5a8.5 8.5 0 0 1 0 12',
  muted: 'M4 9.5v5h3.5L12 18.5v-13L7.5 9.5H4Zm12 0 5 5m0-5-5 5',
  listen: 'M4 8h6m4 0h6M4 16h10m4 0h2M12 5.5v5M16 13.5v5',
  download: 'M12 4v11m-4.5-4.5L12 15l4.5-4.5M5 19.5h14',
} as const
export type PartIcon = keyof typeof filled | keyof typeof lines

export function icon(name: PartIcon): SVGSVGElement {
  const solid = name in filled
  const svg = document.createElementNS(NS, 'svg')
  const path = document.createElementNS(NS, 'path')
  const attributes = solid
    ? { fill: 'currentColor' }
    : {
        fill: 'none',
        stroke: 'currentColor',
        'stroke-width': '1.75',
        'stroke-linecap': 'round',
        'stroke-linejoin': 'round',
      }
  for (const [key, value] of Object.entries({ viewBox: '0 0 24 24', 'aria-hidden': 'true', ...attributes }))
    svg.setAttribute(key, value)
  svg.classList.add('cr-icon')
  path.setAttribute('d', { ...filled, ...lines }[name])
  svg.append(path)
  if (name === 'back' || name === 'forward') {
    const ten = document.createElementNS(NS, 'text')
    for (const [key, value] of Object.entries({ x: name === 'back' ? '12.3' : '11.7', y: '15.4' }))
      ten.setAttribute(key, value)
    ten.textContent = '10'
    svg.append(ten)
  }
  return svg
}

export function make<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string> = {},
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value)
  element.append(...inside)
  return element
}

/** A button with a picture and a name. */
export function iconButton(name: PartIcon, label: string, press: (event: MouseEvent) => void, kind = 'cr-button') {
  const button = make('button', { type: 'button', class: kind, 'aria-label': label, title: label }, icon(name))
  button.addEventListener('click', press)
  return button
}

/** After a press by mouse or finger the keys are the player's again, not the button's. */
export function giveKeysBack(event: MouseEvent) {
  if (event.detail > 0 && event.currentTarget instanceof HTMLElement) event.currentTarget.blur()
}
