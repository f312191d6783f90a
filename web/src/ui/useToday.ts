// The day of the reader. It ends at the local midnight, also of a page that stays open.
import { useEffect, useState } from 'react'
import { dayStart } from '../i18n/day'

const today = () => dayStart(new Date()).getTime()
const MOST_MS = 60 * 60_000 // clocks are set, machines sleep: the day is checked again after this time at the latest

/** The first millisecond of today. */
export function useToday(): number {
  const [day, setDay] = useState(today)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = () => {
      clearTimeout(timer)
      setDay(today())
      const now = new Date()
      const ends = new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime()
      timer = setTimeout(look, Math.min(ends - now.getTime() + 50, MOST_MS))
    }
    look()
    document.addEventListener('visibilitychange', look)
    return () => {
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [])
  return day
}
