// Finds out whether the server has another release of this page than the one that runs. File names depend on the content, so the names
// in index.html show it. It asks when a part of the page can't be loaded, when the stream comes back, and when the page is
// seen again after a while.
import { useSyncExternalStore } from 'react'

const LEAST_MS = 60_000 // between two looks without a cause
const listeners = new Set<() => void>()
let isNew = false
let lookedAt = Date.now()

const scripts = (from: Document): string =>
  [...from.querySelectorAll('script[type="module"]')]
    .map((script) => script.getAttribute('src')?.split('/').pop())
    .sort()
    .join()

/** Asks the server now. */
export async function lookForRelease(): Promise<boolean> {
  if (isNew) return true
  lookedAt = Date.now()
  try {
    const answer = await fetch(document.baseURI, { cache: 'no-store', headers: { Accept: 'text/html' } })
    if (!answer.ok) return false
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html')
    const theirs = scripts(page)
    isNew = theirs !== '' && theirs !== scripts(document)
    if (isNew) for (const changed of listeners) changed()
  } catch {
    // the next look tells
  }
  return isNew
}

/** Call it when the server may have a new release. */
export function releaseMayBeNew() {
  if (Date.now() - lookedAt >= LEAST_MS) void lookForRelease()
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') releaseMayBeNew()
})

/**
 * Loads a part of this page. If that fails because the release is gone, loads the whole page again, once, unless `busy` says that
 * this would disturb. The address is already that of the part.
 */
export async function loadOfRelease<T>(load: () => Promise<T>, busy: () => boolean): Promise<T> {
  try {
    return await load()
  } catch (why) {
    if ((await lookForRelease()) && !busy() && !reloaded()) location.reload()
    throw why
  }
}

/** True if the page was loaded again a moment ago: while the server changes releases, the page must not reload again and again. */
function reloaded(): boolean {
  const name = 'callreel.reloaded'
  try {
    const before = Number(sessionStorage.getItem(name) ?? 0)
    sessionStorage.setItem(name, String(Date.now()))
    return Date.now() - before < LEAST_MS
  } catch {
    return true
  }
}

const subscribe = (changed: () => void) => {
  listeners.add(changed)
  return () => {
    listeners.delete(changed)
  }
}
export const useNewRelease = () => useSyncExternalStore(subscribe, () => isNew)
