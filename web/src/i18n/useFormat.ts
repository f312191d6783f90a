import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import * as format from './format'

/** The functions of format.ts in the reader's language. */
export function useFormat() {
  const { i18n } = useTranslation()
  const language = i18n.language
  return useMemo(
    () => ({
      time: (at: Date) => format.time(language, at),
      dateTime: (at: Date) => format.dateTime(language, at),
      day: (at: Date, now?: Date) => format.day(language, at, now),
      until: (at: Date, now?: Date, style?: 'long' | 'narrow') => format.until(language, at, now, style),
      number: (n: number) => format.number(language, n),
      percent: (share: number, digits?: number) => format.percent(language, share, digits),
      size: (bytes: number) => format.size(language, bytes),
      span: (seconds: number) => format.span(language, seconds),
      clock: format.clock,
    }),
    [language],
  )
}
