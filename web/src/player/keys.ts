// The player's keys: space and k play and pause, j and l jump 10 s, the arrows 5 s and the volume.
import type { Engine } from './engine'

const takesKeys =
  'input, textarea, select, button, a[href], summary, [role="menu"], [role="menuitem"], [contenteditable], dialog'

/** True: the key was the player's. In RTL pages too, time runs from left to right. */
export function playByKey(engine: Engine, event: KeyboardEvent, inPlayer: boolean): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return false
  const target = event.target instanceof Element ? event.target : null
  const typing = target?.matches('input:not([type="range"]), textarea, select, [contenteditable]')
  if (typing) return false
  const onControl = target?.closest(takesKeys) !== null
  switch (event.key) {
    case ' ':
      if (onControl) return false
      engine.toggle()
      break
    case 'k':
      engine.toggle()
      break
    case 'j':
      engine.skip(-10)
      break
    case 'l':
      engine.skip(10)
      break
    case 'ArrowLeft':
    case 'ArrowRight':
      if (onControl && !(inPlayer && target?.matches('button, a'))) return false
      engine.skip(event.key === 'ArrowLeft' ? -5 : 5)
      break
    case 'ArrowUp':
    case 'ArrowDown':
      if (!inPlayer || !target?.matches('button, a')) return false
      engine.setVolume(engine.state.volume + (event.key === 'ArrowUp' ? 0.1 : -0.1))
      break
    default:
      return false
  }
  event.preventDefault()
  return true
}
