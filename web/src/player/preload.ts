// The player's bar is loaded soon after something that can be played is shown: before anybody presses, but not before the calls.
export const loadPlayerBar = () => import('./PlayerBar')

const SOON_MS = 1500
let asked = false

/** A failure is met when the bar is needed. */
export function preloadPlayerBar() {
  if (asked) return
  asked = true
  setTimeout(() => void loadPlayerBar().catch(() => undefined), SOON_MS)
}
