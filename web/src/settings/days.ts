// Days that recordings are kept: 0 is for ever, null as the installation keeps them. Pure.

/** The typed number of days; undefined: it is none. */
export function daysIn(text: string, most: number): number | undefined {
  const days = /^\d{1,5}$/.test(text.trim()) ? Number(text) : 0
  return days >= 1 && days <= most ? days : undefined
}

/** True if the change removes recordings that would have stayed. */
export function isShorter(days: number | null, before: number | null, standard: number): boolean {
  const last = (of: number | null) => (of ?? standard) || Number.POSITIVE_INFINITY
  return last(days) < last(before)
}
