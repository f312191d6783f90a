// Tells screen readers what happened, and shows it for a moment.
import { useSyncExternalStore } from 'react'
import './announcer.css'

let said: { text: string; shown: boolean; n: number } = { text: '', shown: false, n: 0 }
const listeners = new Set<() => void>()
let timer: ReturnType<typeof setTimeout> | undefined

/** `shown`: also on the screen. */
export function announce(text: string, { shown = false } = {}) {
  said = { text, shown, n: said.n + 1 }
  clearTimeout(timer)
  timer = setTimeout(() => {
    said = { text: '', shown: false, n: said.n + 1 }
    for (const tell of listeners) tell()
  }, 6000)
  for (const tell of listeners) tell()
}

const subscribe = (tell: () => void) => {
  listeners.add(tell)
  return () => {
    listeners.delete(tell)
  }
}

export function Announcer() {
  const { text, shown } = useSyncExternalStore(subscribe, () => said)
  return (
    <div className={shown ? 'toast' : 'unseen'} role="status" aria-live="polite" hidden={false}>
      {text}
    </div>
  )
}
