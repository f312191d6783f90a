// A button that may be pressed too often: after a 429 it is off until the service takes it again.
import { useCallback, useEffect, useState } from 'react'
import { Problem } from '../api/http'

/** `until`: when it is possible again; null: now. */
export function useLimit() {
  const [until, setUntil] = useState<Date | null>(null)
  useEffect(() => {
    if (!until) return
    const timer = setTimeout(() => setUntil(null), Math.max(0, until.getTime() - Date.now()))
    return () => clearTimeout(timer)
  }, [until])
  const meet = useCallback((why: unknown) => {
    if (!(why instanceof Problem) || why.status !== 429 || why.retryAfter === null) return false
    setUntil(new Date(Date.now() + why.retryAfter * 1000))
    return true
  }, [])
  return { until, meet }
}
