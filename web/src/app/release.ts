// Whether the server has another release of this page than the one that runs. Its files are named by their content, so the names
// in index.html say it. It is asked for when a part of the page can't be loaded, when the stream comes back, and when the page is
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

/** Something happened after which there may be another one. */
export function releaseMayBeNew() {
  if (Date.now() - lookedAt >= LEAST_MS) void lookForRelease()
}

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') releaseMayBeNew()
})

/**
 * Loads a part of this page; where that fails because the release is gone, the page is loaded again, once, unless `busy` says that
 * this would disturb. The address is already that of what was wanted.
 */
export async function loadOfRelease<T>(load: () => Promise<T>, busy: () => boolean): Promise<T> {
  try {
    return await load()
  } catch (why) {
    if ((await lookForRelease()) && !busy() && !reloaded()) location.reload()
    throw why
  }
}

/** True if the page was loaded again a moment ago: a server between two releases must not make it turn in circles. */
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
