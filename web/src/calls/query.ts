// The filters of the list, all of them in the page's address, and what the API is asked for them. Pure.
import { dayStart } from '../i18n/day'
import type { FilterName, Filters, Sort } from './filterNames'
import { names, outcomes, sorts, states } from './filterNames'

export const PAGE = 50
const SEARCH_LEAST = 3

/** The server takes three characters, or two letters: names such as לי have no more. */
export function canSearch(text: string): boolean {
  return [...text].length >= SEARCH_LEAST || /^\p{L}{2}$/u.test(text)
}

const known: Partial<Record<FilterName, readonly string[]>> = {
  direction: ['inbound', 'outbound'],
  recording: states,
  status: outcomes,
  has: ['yes', 'no'],
  date: ['today', 'yesterday', 'week', 'month', 'custom'],
  sort: sorts,
}

/** The filters in the address. A value that is not valid is ignored. */
export function readFilters(params: URLSearchParams): Filters {
  return Object.fromEntries(
    names.map((name) => {
      const value = params.get(name) ?? ''
      const fits = name === 'min' || name === 'max' ? /^\d{1,6}$/.test(value) : (known[name]?.includes(value) ?? true)
      return [name, fits ? value : '']
    }),
  ) as Filters
}

/** Those that are behind "More filters". */
export const countMore = ({ agent, own, tag, min, max }: Filters): number =>
  [agent, own, tag, min || max].filter(Boolean).length

/** How many are set; the search is beside the others, and an order hides nothing. */
export function countFilters(filters: Filters): number {
  const { direction, recording, status, has, date } = filters
  return [direction, recording || has, status, date].filter(Boolean).length + countMore(filters)
}

export function localDay(text: string): Date | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  return parts ? new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])) : null
}

/** The first and the last day that were chosen, whichever was chosen first. */
export function chosenDays({ from, to }: Pick<Filters, 'from' | 'to'>): [Date | null, Date | null] {
  const [first, last] = [localDay(from), localDay(to)]
  return first && last && first > last ? [last, first] : [first, last]
}

export function dayText(day: Date): string {
  const pad = (n: number) => String(n).padStart(2, '0')
  return `${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`
}

const dayAfter = (day: Date, n: number) => new Date(day.getFullYear(), day.getMonth(), day.getDate() + n)

function span({ date, from, to }: Filters, now: Date): { since?: Date; until?: Date } {
  const today = dayStart(now)
  switch (date) {
    case 'today':
      return { since: today }
    case 'yesterday':
      return { since: dayAfter(today, -1), until: today }
    case 'week':
      return { since: dayAfter(today, -6) }
    case 'month':
      return { since: dayAfter(today, -29) }
    case 'custom': {
      const [since, end] = chosenDays({ from, to })
      return { since: since ?? undefined, until: end ? dayAfter(end, 1) : undefined }
    }
    default:
      return {}
  }
}

/** The first page says how many calls there are on all of them. */
export const firstOf = (query: URLSearchParams) => new URLSearchParams([...query, ['count', '1']])

/** The query for the API. Days are in the reader's time zone, not in UTC. */
export function queryOf(filters: Filters, now = new Date()): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) })
  const search = filters.q.trim()
  const { since, until } = span(filters, now)
  if (canSearch(search)) query.set('search', search)
  if (filters.direction) query.set('direction', filters.direction)
  if (filters.recording) query.set('recording_status', filters.recording)
  if (filters.status) query.set('status', filters.status)
  if (filters.has) query.set('has_recording', filters.has === 'yes' ? 'true' : 'false')
  if (filters.agent) query.set('agent', filters.agent)
  if (filters.own) query.set('own_number', filters.own)
  if (filters.tag) query.set('tag', filters.tag)
  if (filters.min) query.set('min_duration', filters.min)
  if (filters.max) query.set('max_duration', filters.max)
  if (since) query.set('since', since.toISOString())
  if (until) query.set('until', until.toISOString())
  if (filters.sort) query.set('sort', filters.sort)
  return query
}

/** The address's query after a change of some filters. */
export function changed(before: URLSearchParams, change: Partial<Filters>): URLSearchParams {
  const after = new URLSearchParams(before)
  for (const [name, value] of Object.entries(change)) value ? after.set(name, value) : after.delete(name)
  if (after.get('date') !== 'custom') for (const name of ['from', 'to']) after.delete(name)
  return after
}

/** The order after a press on a column's head: first the order that people look for (the newest, the longest), then the reverse. */
export function sortAfter(now: string, column: 'time' | 'duration'): Sort | '' {
  if (column === 'time') return now === '' ? 'started_at' : ''
  return now === '-duration' ? 'duration' : '-duration'
}

/** 90, "1:30" and "1:02:30" as seconds; null: it is none of these. */
export function secondsOf(text: string): number | null {
  const parts = text.trim().split(':')
  if (parts.length > 3 || !parts.every((part) => /^\d{1,6}$/.test(part))) return null
  return parts.reduce((sum, part) => sum * 60 + Number(part), 0)
}
