// Numbers, times and sizes as the reader's language writes them.
import { dayStart } from './day'

const kept = new Map<string, unknown>()
/** Intl objects are costly to make: one of each. */
function once<T>(key: string, make: () => T): T {
  let it = kept.get(key) as T | undefined
  if (it === undefined) {
    it = make()
    kept.set(key, it)
  }
  return it
}

const dates = (language: string, name: string, options: Intl.DateTimeFormatOptions) =>
  once(`${language} ${name}`, () => new Intl.DateTimeFormat(language, options))

export const time = (language: string, at: Date) => dates(language, 'time', { timeStyle: 'short' }).format(at)
export const dateTime = (language: string, at: Date) =>
  dates(language, 'both', { dateStyle: 'medium', timeStyle: 'short' }).format(at)

export const date = (language: string, at: Date) => dates(language, 'date', { dateStyle: 'medium' }).format(at)

/** "Israel Time": the zone that times are written in. */
export const zone = (language: string) =>
  dates(language, 'zone', { timeZoneName: 'longGeneric' })
    .formatToParts(Date.now())
    .find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC'

const DAY = 86_400_000

function capitalised(language: string, text: string) {
  return text.charAt(0).toLocaleUpperCase(language) + text.slice(1)
}

/** "Today", "Yesterday", "Monday, 3 March", with the year where it is another. */
export function day(language: string, at: Date, now = new Date()): string {
  const ago = Math.round((dayStart(now).getTime() - dayStart(at).getTime()) / DAY)
  if (ago === 0 || ago === 1) {
    const words = once(`${language} days`, () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }))
    return capitalised(language, words.format(-ago, 'day'))
  }
  return at.getFullYear() === now.getFullYear()
    ? dates(language, 'day', { weekday: 'long', day: 'numeric', month: 'long' }).format(at)
    : dates(language, 'year', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(at)
}

/** "in 2 minutes"; narrow: "in 2m"; "now" */
export function until(language: string, at: Date, now = new Date(), style: 'long' | 'narrow' = 'long'): string {
  const seconds = Math.max(0, Math.round((at.getTime() - now.getTime()) / 1000))
  const words = once(`${language} ${style}`, () => new Intl.RelativeTimeFormat(language, { style, numeric: 'auto' }))
  if (seconds < 90) return words.format(seconds, 'second')
  if (seconds < 90 * 60) return words.format(Math.round(seconds / 60), 'minute')
  return words.format(Math.round(seconds / 3600), 'hour')
}

/** "12 seconds ago", "3 hours ago" */
export function ago(language: string, at: Date, now = new Date()): string {
  const seconds = Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000))
  const words = once(`${language} ago`, () => new Intl.RelativeTimeFormat(language, { numeric: 'auto' }))
  if (seconds < 90) return words.format(-seconds, 'second')
  if (seconds < 90 * 60) return words.format(-Math.round(seconds / 60), 'minute')
  if (seconds < 36 * 3600) return words.format(-Math.round(seconds / 3600), 'hour')
  return words.format(-Math.round(seconds / 86_400), 'day')
}

/** 1:05, 1:02:05 */
export function clock(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '–:––'
  const whole = Math.max(0, Math.floor(seconds + 0.001))
  const pad = (n: number) => String(n).padStart(2, '0')
  const hours = Math.floor(whole / 3600)
  const minutes = Math.floor(whole / 60) % 60
  return hours ? `${hours}:${pad(minutes)}:${pad(whole % 60)}` : `${minutes}:${pad(whole % 60)}`
}

export const number = (language: string, n: number) =>
  once(`${language} n`, () => new Intl.NumberFormat(language)).format(n)
export const percent = (language: string, share: number, digits = 0) =>
  once(
    `${language} %${digits}`,
    () => new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: digits }),
  ).format(share)

const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'] as const
/** A run of its own: "3.2 MB" stays in its order within Hebrew text. */
export function size(language: string, bytes: number): string {
  let n = bytes
  let i = 0
  while (n >= 1000 && i < units.length - 1) {
    n /= 1000
    i++
  }
  const options = {
    style: 'unit',
    unit: units[i],
    unitDisplay: i === 0 ? 'long' : 'short', // "0 bytes"; the short form is "0 byte"
    maximumFractionDigits: n < 10 && i > 0 ? 1 : 0,
  } as const
  return `\u2068${new Intl.NumberFormat(language, options).format(n)}\u2069`
}

/** "3 min.", "2 hr." */
export function span(language: string, seconds: number): string {
  const [n, unit] =
    seconds < 90 ? [seconds, 'second'] : seconds < 5400 ? [seconds / 60, 'minute'] : [seconds / 3600, 'hour']
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: unit as string,
    unitDisplay: 'long',
    maximumFractionDigits: 0,
  }).format(n as number)
}
