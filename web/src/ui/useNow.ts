import { useEffect, useState } from 'react'

/** The time, every so many milliseconds while the page is seen. */
export function useNow(every: number): Date {
  const [now, setNow] = useState(() => new Date())
  useEffect(() => {
    const timer = setInterval(() => document.visibilityState === 'visible' && setNow(new Date()), every)
    return () => clearInterval(timer)
  }, [every])
  return now
}
