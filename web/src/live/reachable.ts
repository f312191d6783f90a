// Knows whether the service answers at all: from every request, and by asking while the stream is closed.
import { useEffect, useSyncExternalStore } from 'react'
import { onReach, tellReach } from '../api/http'
import { useLiveState, useOnline } from './live'

const EVERY_MS = 5000
const listeners = new Set<() => void>()
let answers = true

onReach((now) => {
  if (now === answers) return
  answers = now
  for (const changed of listeners) changed()
})

const subscribe = (changed: () => void) => {
  listeners.add(changed)
  return () => {
    listeners.delete(changed)
  }
}

const look = () =>
  fetch('healthz', { cache: 'no-store' }).then(
    (answer) => tellReach(answer.ok),
    () => tellReach(false),
  )

/** True if the last request was answered. */
export const useAnswers = () => useSyncExternalStore(subscribe, () => answers)

/** False: there is a network, but the service does not answer. */
export function useReachable(): boolean {
  const now = useAnswers()
  const closed = useLiveState() === 'closed'
  const online = useOnline()
  useEffect(() => {
    if (!online || (!closed && now)) return
    void look()
    const timer = setInterval(look, EVERY_MS)
    return () => clearInterval(timer)
  }, [closed, online, now])
  return now || !online
}
