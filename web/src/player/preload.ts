// The player's bar is loaded as soon as the browser is idle after something that can be played was shown: a press finds it here, and
// the calls did not wait for it.
import { whenIdle } from '../ui/idle'
import { PlayerBar } from './PlayerPlace'

let asked = false

/** A failure is met when the bar is needed. */
export function preloadPlayerBar() {
  if (asked) return
  asked = true
  whenIdle(() => void PlayerBar.load().catch(() => undefined))
}
