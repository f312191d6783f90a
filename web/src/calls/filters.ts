// The filters of the list, all of them in the page's address. Pure but for useFilters.
import { useCallback, useMemo, useState } from 'react'
import { useHref, useLocation, useNavigate, useSearchParams } from 'react-router'
import { dayStart } from '../i18n/format'

export const names = ['q', 'direction', 'recording', 'status', 'has', 'date', 'from', 'to'] as const
export type FilterName = (typeof names)[number]
export type Filters = Record<FilterName, string>

const SEARCH_LEAST = 3

/** The server takes three characters, or two letters: names such as לי have no more. */
export function canSearch(text: string): boolean {
  return [...text].length >= SEARCH_LEAST || /^\p{L}{2}$/u.test(text)
}
export const PAGE = 50

export function readFilters(params: URLSearchParams): Filters {
  return Object.fromEntries(names.map((name) => [name, params.get(name) ?? ''])) as Filters
}

/** How many are set; the search is beside the others. */
export function countFilters({ direction, recording, status, has, date }: Filters): number {
  return [direction, recording, status, has, date].filter(Boolean).length
}

function localDay(text: string): Date | null {
  const parts = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text)
  return parts ? new Date(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])) : null
}

function span({ date, from, to }: Filters, now: Date): { since?: Date; until?: Date } {
  const today = dayStart(now)
  const days = (n: number) => new Date(today.getFullYear(), today.getMonth(), today.getDate() + n)
  switch (date) {
    case 'today':
      return { since: today }
    case 'yesterday':
      return { since: days(-1), until: today }
    case 'week':
      return { since: days(-6) }
    case 'month':
      return { since: days(-29) }
    case 'custom': {
      const last = localDay(to)
      const until = last ? new Date(last.getFullYear(), last.getMonth(), last.getDate() + 1) : undefined
      return { since: localDay(from) ?? undefined, until }
    }
    default:
      return {}
  }
}

/** What the API is asked. Days are the reader's, not UTC's. */
export function queryOf(filters: Filters, now = new Date()): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) })
  const search = filters.q.trim()
  const { since, until } = span(filters, now)
  if (canSearch(search)) query.set('search', search)
  if (filters.direction) query.set('direction', filters.direction)
  if (filters.recording) query.set('recording_status', filters.recording)
  if (filters.status) query.set('status', filters.status)
  if (filters.has) query.set('has_recording', filters.has === 'yes' ? 'true' : 'false')
  if (since) query.set('since', since.toISOString())
  if (until) query.set('until', until.toISOString())
  return query
}

/** The address's query after a change of some filters. */
export function changed(before: URLSearchParams, change: Partial<Filters>): URLSearchParams {
  const after = new URLSearchParams(before)
  for (const [name, value] of Object.entries(change)) value ? after.set(name, value) : after.delete(name)
  if (after.get('date') !== 'custom') for (const name of ['from', 'to']) after.delete(name)
  return after
}

/**
 * A navigation changes the address at once and this component later, in a transition. A change is therefore one of the address
 * as it is, not of what was drawn last: a filter that was cleared a moment ago must not come back with the next one. `cleared`
 * counts how often all were cleared: what was typed and not asked yet goes too.
 */
export function useFilters() {
  const [params] = useSearchParams()
  const [cleared, setCleared] = useState(0)
  const navigate = useNavigate()
  const here = useHref({ pathname: useLocation().pathname })
  const filters = useMemo(() => readFilters(params), [params])
  const go = useCallback(
    (query: URLSearchParams) => {
      // Left already: the next page's address is not this one's to change.
      if (window.location.pathname === here) void navigate({ search: query.toString() }, { replace: true })
    },
    [navigate, here],
  )
  const set = useCallback(
    (change: Partial<Filters>) => go(changed(new URLSearchParams(window.location.search), change)),
    [go],
  )
  const clear = useCallback(() => {
    setCleared((times) => times + 1)
    go(new URLSearchParams())
  }, [go])
  return { filters, set, clear, cleared }
}
