// Applies events to the pages of calls that are shown. Pure.
import type { InfiniteData } from '@tanstack/react-query'
import type { Call, CallList, Recording } from '../api/types'
import type { LiveEvent } from './hub'

export type Pages = InfiniteData<CallList>

/** The recording in its row, wherever that is; the same object when no row has it. */
export function withRecording<C extends Call>(call: C, r: Recording): C {
  if (r.recording_sid === null) return call
  const isIt = (known: Recording) => known.recording_sid === r.recording_sid
  if (call.recordings.some(isIt))
    return { ...call, recordings: call.recordings.map((known) => (isIt(known) ? r : known)) }
  if (r.call_sid !== call.call_sid) return call
  const real = call.recordings.filter((known) => known.recording_sid !== null)
  return { ...call, has_recording: true, recordings: [...real, r] }
}

function mapCalls(pages: Pages, change: (call: Call) => Call): Pages {
  let touched = false
  const next = pages.pages.map((page) => {
    let here = false
    const calls = page.calls.map((call) => {
      const changed = change(call)
      if (changed !== call) here = true
      return changed
    })
    touched ||= here
    return here ? { ...page, calls } : page
  })
  return touched ? { ...pages, pages: next } : pages
}

export const pagesWithRecording = (pages: Pages, r: Recording) => mapCalls(pages, (call) => withRecording(call, r))

/** Changes only rows that are there: the server decides which calls a list has. */
export const pagesWithCall = (pages: Pages, news: Call) =>
  mapCalls(pages, (call) =>
    call.call_sid === news.call_sid ? { ...call, ...news, recordings: recordingsOf(call, news) } : call,
  )

/** Without a call that was deleted. */
export function pagesWithoutCall(pages: Pages, sid: string): Pages {
  const isHere = (page: CallList) => page.calls.some((call) => call.call_sid === sid)
  if (!pages.pages.some(isHere)) return pages
  const without = (page: CallList) => ({ ...page, calls: page.calls.filter((call) => call.call_sid !== sid) })
  return { ...pages, pages: pages.pages.map((page) => (isHere(page) ? without(page) : page)) }
}

/** The list after an event; the same object if the event is of something else. */
export function pagesWithNews(pages: Pages, event: LiveEvent): Pages {
  if (event.kind === 'recording') return pagesWithRecording(pages, event.recording)
  if (event.kind === 'call') return pagesWithCall(pages, event.call)
  return event.kind === 'gone' ? pagesWithoutCall(pages, event.call_sid) : pages
}

/** The same of a page that is not shown yet. */
export const listWithNews = (list: CallList, event: LiveEvent): CallList =>
  pagesWithNews({ pages: [list], pageParams: [null] }, event).pages[0] ?? list

/** A row has its other legs' recordings too; an event of one leg may have fewer. */
function recordingsOf(row: Call, news: Call): Recording[] {
  const told = new Set(news.recordings.map((r) => r.recording_sid))
  const others = row.recordings.filter((r) => r.recording_sid !== null && !told.has(r.recording_sid))
  const real = news.recordings.filter((r) => r.recording_sid !== null)
  return real.length + others.length > 0 ? [...real, ...others] : news.recordings
}

/** The first page was read again: new rows come in front, rows that it no longer has move behind. No overlap: the list starts again. */
export function pagesWithFirst(pages: Pages, first: CallList): Pages {
  const [old, ...rest] = pages.pages
  if (!old) return pages
  const now = new Set(first.calls.map((call) => call.call_sid))
  const overlap = old.calls.some((call) => now.has(call.call_sid))
  if (!overlap || first.next_cursor === null) return { pageParams: pages.pageParams.slice(0, 1), pages: [first] }
  const last = first.calls.at(-1)
  const passed = old.calls.findLastIndex((call) => call.call_sid === last?.call_sid)
  const behind = passed < 0 ? [] : old.calls.slice(passed + 1).filter((call) => !now.has(call.call_sid))
  const page = { ...first, calls: [...first.calls, ...behind], next_cursor: old.next_cursor }
  return { ...pages, pages: [page, ...rest] }
}

/** Another page asked again, in its place. */
export function pagesWithPage(pages: Pages, param: unknown, page: CallList): Pages {
  const at = pages.pageParams.indexOf(param)
  return at <= 0 ? pages : { ...pages, pages: pages.pages.map((old, i) => (i === at ? page : old)) }
}

/**
 * The pages after a fetch of the next one. The fetch knows the pages as they were when it began. So events that came since then stay
 * applied, and its page is taken only if it still follows the last one.
 */
export function pagesAfterFetch(now: Pages | undefined, fetched: Pages): Pages {
  if (!now || fetched.pages.length <= now.pages.length) return fetched
  const param = fetched.pageParams.at(-1)
  const page = fetched.pages.at(-1)
  if (!page || param !== now.pages.at(-1)?.next_cursor) return now
  return { pages: [...now.pages, page], pageParams: [...now.pageParams, param] }
}

const isComing = (r: Recording) => r.status === 'queued' || r.status === 'downloading'

/** The cursors of pages after the first that have recordings on their way, the newest first. */
export const comingAfterFirst = (pages: Pages): string[] =>
  pages.pages.flatMap((page, i) => {
    const param = pages.pageParams[i]
    return typeof param === 'string' && page.calls.some((call) => call.recordings.some(isComing)) ? [param] : []
  })

export const hasCall = (pages: Pages, sid: string | null) =>
  sid !== null && pages.pages.some((page) => page.calls.some((call) => call.call_sid === sid))

/** Counts the rows of the first page that were not there before. */
export function newRows(pages: Pages, first: CallList): number {
  const known = new Set(pages.pages.flatMap((page) => page.calls.map((call) => call.call_sid)))
  return first.calls.filter((call) => !known.has(call.call_sid)).length
}

/** Seconds to wait before the next request for recordings on their way; null: there are none. */
export function pendingAfter(pages: Pages | undefined): number | null {
  let after: number | null = null
  for (const page of pages?.pages ?? [])
    for (const call of page.calls)
      for (const r of call.recordings) if (isComing(r)) after = Math.min(after ?? 8, r.retry_after ?? 2)
  return after
}
