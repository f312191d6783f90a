// The player's keys. Letters go by their place on the keyboard: in Hebrew, or with Caps Lock, they are the same keys.
import type { Engine } from './engine'
import { speeds } from './speeds'

export type Action =
  | { do: 'toggle' | 'mute' | 'next' | 'previous' | 'faster' | 'slower' | 'help' | 'search' }
  | { do: 'skip'; seconds: number }
  | { do: 'volume'; by: number }
  | { do: 'share'; of: number } // of the whole length

export interface Pressed {
  key: string
  code: string
  shiftKey: boolean
  ctrlKey: boolean
  altKey: boolean
  metaKey: boolean
}

const letters: Record<string, Action> = {
  KeyK: { do: 'toggle' },
  KeyJ: { do: 'skip', seconds: -10 },
  KeyL: { do: 'skip', seconds: 10 },
  KeyM: { do: 'mute' },
  KeyN: { do: 'next' },
  KeyP: { do: 'previous' },
  BracketLeft: { do: 'slower' },
  BracketRight: { do: 'faster' },
}
const others: Record<string, Action> = {
  Space: { do: 'toggle' },
  ArrowLeft: { do: 'skip', seconds: -5 },
  ArrowRight: { do: 'skip', seconds: 5 },
  ArrowUp: { do: 'volume', by: 0.1 },
  ArrowDown: { do: 'volume', by: -0.1 },
}

/** The action of a key; null: the player has none for it. In RTL pages too, time runs from left to right. */
export function actionOf({ key, code, shiftKey, ctrlKey, altKey, metaKey }: Pressed): Action | null {
  if (ctrlKey || altKey || metaKey) return null
  if (key === '?' || (code === 'Slash' && shiftKey)) return { do: 'help' }
  if (key === '/' || code === 'Slash') return { do: 'search' }
  if (shiftKey) {
    if (code === 'Comma') return { do: 'slower' }
    if (code === 'Period') return { do: 'faster' }
    return letters[code] && key.length === 1 ? letters[code] : null // Caps Lock and Shift write alike
  }
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(code)
  if (digit && /^\d$/.test(key)) return { do: 'share', of: Number(digit[1]) / 10 }
  return letters[code] ?? others[code] ?? null
}

/** The speed before or after `rate`. */
export function speedBeside(rate: number, by: 1 | -1): number {
  const sorted = by > 0 ? speeds.filter((speed) => speed > rate) : speeds.filter((speed) => speed < rate)
  return (by > 0 ? sorted[0] : sorted.at(-1)) ?? rate
}

/** `control`: a button or link that the keyboard stands on; `tool`: one of the player. */
export type Where = 'typing' | 'choosing' | 'control' | 'tool' | 'player' | 'page'

/** True if a key that was pressed there is the player's. */
export function isPlayers(action: Action, where: Where): boolean {
  if (where === 'typing') return false
  if (where === 'choosing') return action.do === 'help' || action.do === 'search'
  if (action.do === 'volume') return where === 'player' || where === 'tool'
  return true
}

const typesIn = 'input:not([type="range"], [type="checkbox"], [type="radio"]), textarea, [contenteditable]'
const choosesIn = 'select, input, [role="menu"], [role="menuitem"], [role="radiogroup"], [role="tablist"]'

export function whereOf(target: EventTarget | null): Where {
  if (!(target instanceof Element)) return 'page'
  if (target.closest(typesIn)) return 'typing'
  if (target.closest(choosesIn)) return 'choosing'
  const inPlayer = target.closest('.player') !== null
  if (target.closest('button, a[href], summary')) return inPlayer ? 'tool' : 'control'
  return inPlayer ? 'player' : 'page'
}

/** Does it with the player alone; false: the caller has to do it. */
export function act(engine: Engine, action: Action): boolean {
  switch (action.do) {
    case 'toggle':
      engine.toggle()
      return true
    case 'skip':
      engine.skip(action.seconds)
      return true
    case 'mute':
      engine.toggleMuted()
      return true
    case 'faster':
    case 'slower':
      engine.setRate(speedBeside(engine.state.rate, action.do === 'faster' ? 1 : -1))
      return true
    case 'volume':
      engine.setVolume(engine.state.volume + action.by)
      return true
    case 'share':
      if (engine.state.duration !== null) engine.seek(engine.state.duration * action.of)
      return engine.state.duration !== null
    default:
      return false
  }
}

/** True: the key was the player's. Space on a button that the keyboard stands on presses that button. */
export function playByKey(engine: Engine, event: KeyboardEvent, others: (action: Action) => boolean): boolean {
  if (event.defaultPrevented || event.isComposing) return false
  const action = actionOf(event)
  const target = event.composedPath()[0] ?? event.target
  const where = whereOf(target)
  if (!action || !isPlayers(action, where)) return false
  if ((where === 'control' || where === 'tool') && event.code === 'Space') return false
  if (!others(action) && !(engine.state.track && act(engine, action))) return false
  event.preventDefault()
  return true
}
