// A month as weeks of days. Pure.

/** The first day of the week (0 is Sunday) of the region as the browser knows it, otherwise that of most countries. */
export function firstWeekday(tag: string): number {
  const locale = new Intl.Locale(tag) as Intl.Locale & {
    weekInfo?: { firstDay: number }
    getWeekInfo?: () => { firstDay: number }
  }
  const day = (locale.getWeekInfo?.() ?? locale.weekInfo)?.firstDay
  if (day !== undefined) return day % 7
  return /-(IL|US|CA|IN|JP)\b|^he/.test(tag) ? 0 : 1
}

/** The days of the month and those that fill its first and last week. */
export function weeksOf(year: number, month: number, first: number): Date[][] {
  const before = (new Date(year, month, 1).getDay() - first + 7) % 7
  const days = new Date(year, month + 1, 0).getDate()
  const weeks = Math.ceil((before + days) / 7)
  return Array.from({ length: weeks }, (_, week) =>
    Array.from({ length: 7 }, (_, day) => new Date(year, month, week * 7 + day - before + 1)),
  )
}

/** The span after a press on a day: the first press begins it, the second ends it, in whichever order. */
export function spanAfter(from: string, to: string, day: string): { from: string; to: string } {
  if (!from || to) return { from: day, to: '' }
  return day < from ? { from: day, to: from } : { from, to: day }
}

/** The day to which an arrow leads; null: it is no key of the calendar. `ltr`: the direction of the page. */
export function dayAfterKey(day: Date, key: string, ltr: boolean): Date | null {
  const by = (days: number, months = 0) => new Date(day.getFullYear(), day.getMonth() + months, day.getDate() + days)
  switch (key) {
    case 'ArrowLeft':
      return by(ltr ? -1 : 1)
    case 'ArrowRight':
      return by(ltr ? 1 : -1)
    case 'ArrowUp':
      return by(-7)
    case 'ArrowDown':
      return by(7)
    case 'PageUp':
      return by(0, -1)
    case 'PageDown':
      return by(0, 1)
    default:
      return null
  }
}
