// Asks now and then while there is no stream: player/backoff.ts has the times.
import { useCallback, useEffect, useRef, useState } from 'react'
import { lookAfter } from '../player/backoff'

/** `after`: seconds that the service asks to wait; null: nothing is on its way. Stops after ten requests, until `again` is called. */
export function usePolling(active: boolean, after: number | null, look: () => Promise<unknown>) {
  const [looks, setLooks] = useState(0)
  const [visible, setVisible] = useState(document.visibilityState === 'visible')
  const lookNow = useRef(look)
  useEffect(() => {
    lookNow.current = look
  })

  useEffect(() => {
    const seen = () => setVisible(document.visibilityState === 'visible')
    document.addEventListener('visibilitychange', seen)
    return () => document.removeEventListener('visibilitychange', seen)
  }, [])

  const due = active && visible && after !== null
  const wait = due ? lookAfter(looks, after) : null
  useEffect(() => {
    if (!due) return setLooks(0)
    if (wait === null) return
    let over = false
    const timer = setTimeout(() => {
      void lookNow.current().finally(() => !over && setLooks(looks + 1))
    }, wait)
    return () => {
      over = true
      clearTimeout(timer)
    }
  }, [due, wait, looks])

  const again = useCallback(() => {
    void lookNow.current()
    setLooks(0)
  }, [])
  return { stopped: due && wait === null, again }
}
