import { useMemo } from 'react'
import { useSettings } from '../app/settings'
import { useTranslation } from '.'
import * as format from './format'
import { formatTag } from './language'

/** The functions of format.ts as the reader's language and region write them. */
export function useFormat() {
  const { language } = useTranslation()
  const { clock } = useSettings()
  return useMemo(() => {
    const tag = formatTag(language, navigator.languages, clock)
    return {
      time: (at: Date) => format.time(tag, at),
      dateTime: (at: Date) => format.dateTime(tag, at),
      day: (at: Date, now?: Date) => format.day(tag, at, now),
      date: (at: Date) => format.date(tag, at),
      until: (at: Date, now?: Date, style?: 'long' | 'narrow') => format.until(tag, at, now, style),
      ago: (at: Date, now?: Date) => format.ago(tag, at, now),
      number: (n: number) => format.number(tag, n),
      percent: (share: number, digits?: number) => format.percent(tag, share, digits),
      size: (bytes: number) => format.size(tag, bytes),
      span: (seconds: number) => format.span(tag, seconds),
      zone: () => format.zone(tag),
      clock: format.clock,
      tag,
    }
  }, [language, clock])
}
