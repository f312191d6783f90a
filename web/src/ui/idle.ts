const AT_LATEST_MS = 2000
const SOON_MS = 200

/** Once the browser has nothing else to do, after two seconds at the latest; where it can't tell (Safari), a moment later. */
export function whenIdle(act: () => void) {
  if (typeof requestIdleCallback === 'function') requestIdleCallback(() => act(), { timeout: AT_LATEST_MS })
  else setTimeout(act, SOON_MS)
}
