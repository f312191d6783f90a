// Loads the player's bar as soon as the browser is idle after a recording that can be played was shown. So a press finds it here,
// and the list of calls did not wait for it.
import { whenIdle } from '../ui/idle'
import { PlayerBar } from './PlayerPlace'

let asked = false

/** A failure is handled when the bar is needed. */
export function preloadPlayerBar() {
  if (asked) return
  asked = true
  whenIdle(() => void PlayerBar.load().catch(() => undefined))
}
