// The list: page after page by cursor, updated by the stream; without it, by asking now and then.
import { replaceEqualDeep, useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import { listCalls } from '../api/api'
import type { Call, CallList, Recording } from '../api/types'
import { takeList } from '../app/early'
import { lastList } from '../app/lastList'
import { useTranslation } from '../i18n'
import { liveReady, useHub, useLiveEvents, useLiveState } from '../live/live'
import { Meanwhile } from '../live/meanwhile'
import {
  comingAfterFirst,
  hasCall,
  listWithNews,
  newRows,
  type Pages,
  pagesAfterFetch,
  pagesWithFirst,
  pagesWithNews,
  pagesWithPage,
  pendingAfter,
} from '../live/merge'
import { usePolling } from '../live/usePolling'
import { nameOf } from '../recording/Who'
import { announce } from '../ui/Announcer'
import { useToday } from '../ui/useToday'
import type { Filters } from './filterNames'
import { firstOf, queryOf } from './query'

const STREAM_PATIENCE_MS = 150 // the list waits that long for the stream, so that nothing is missed between them
const SETTLE_MS = 400 // news of rows that are not here are gathered
const BETWEEN_MS = 2000 // and the list is asked no more often, however many calls there are
const MOST_BETWEEN_MS = 60_000 // after a failed request each wait is twice as long as the one before
const AT_TOP_PX = 80
const FURTHER_PAGES = 2 // that are looked at again beside the first

export function useCalls(filters: Filters) {
  const client = useQueryClient()
  const live = useLiveState()
  const today = useToday()
  // The day is part of what is asked: "today" is another day after midnight.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the day is when the filters' dates are counted from
  const base = useMemo(() => queryOf(filters), [filters, today])
  const key = useMemo(() => ['calls', base.toString()], [base])
  const [waiting, showWaiting] = useState<CallList | null>(null) // a first page with new rows, while the reader is further down
  const newest = useRef(waiting) // the same as of now: a press shows it a frame later, when another page may have been taken
  const setWaiting = useCallback((list: CallList | null) => {
    newest.current = list
    showWaiting(list)
  }, [])
  const place = useScrollPlace()
  const lookedAt = useRef(0)
  const failedLooks = useRef(0) // in a row
  const lists = useRef(0) // that were left
  const [meanwhile] = useState(() => new Meanwhile())
  const ask = useCallback((list: () => Promise<CallList>) => meanwhile.ask(list, listWithNews), [meanwhile])
  const gather = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)

  const query = useInfiniteQuery({
    queryKey: key,
    initialPageParam: null as string | null,
    queryFn: async ({ pageParam, signal }) => {
      if (pageParam) return ask(() => listCalls(new URLSearchParams([...base, ['cursor', pageParam]]), { signal }))
      const first = firstOf(base)
      const early = await takeList(first)
      if (early) return listCalls(first, { signal, begun: early })
      await liveReady(STREAM_PATIENCE_MS)
      return ask(() => listCalls(first, { signal }))
    },
    getNextPageParam: (last) => last.next_cursor,
    refetchOnWindowFocus: false,
    staleTime: Number.POSITIVE_INFINITY,
    placeholderData: (before) => before,
    structuralSharing: (now, next) => replaceEqualDeep(now, pagesAfterFetch(now as Pages | undefined, next as Pages)),
  })

  const take = useCallback(
    (first: CallList) => {
      setWaiting(null)
      client.setQueryData<Pages>(key, (pages) => pages && pagesWithFirst(pages, first))
    },
    [client, key, setWaiting],
  )

  /** The first page again. Rows move only under a reader who is at the top. */
  const look = useCallback(async () => {
    lookedAt.current = Date.now()
    const before = client.getQueryData<Pages>(key)
    const first = await ask(async () => {
      const list = await listCalls(firstOf(base))
      for (const cursor of before ? comingAfterFirst(before).slice(0, FURTHER_PAGES) : []) {
        const page = await ask(() => listCalls(new URLSearchParams([...base, ['cursor', cursor]]))).catch(() => null)
        if (page) client.setQueryData<Pages>(key, (pages) => pages && pagesWithPage(pages, cursor, page))
      }
      return list
    }).catch(() => null)
    const pages = client.getQueryData<Pages>(key)
    failedLooks.current = first ? 0 : failedLooks.current + 1
    if (!first || !pages) return
    if (place.current < AT_TOP_PX || newRows(pages, first) === 0) take(first)
    else setWaiting(first)
  }, [ask, base, client, key, place, take, setWaiting])

  const lookSoon = useCallback(() => {
    if (gather.current !== undefined) return
    const between = Math.min(MOST_BETWEEN_MS, BETWEEN_MS * 2 ** failedLooks.current)
    const wait = Math.max(SETTLE_MS, lookedAt.current + between - Date.now())
    gather.current = setTimeout(async () => {
      gather.current = undefined
      const mine = lists.current
      await look()
      if (failedLooks.current > 0 && mine === lists.current) again.current() // the reader has still not seen the new rows
    }, wait)
  }, [look])
  const again = useRef(lookSoon)
  useEffect(() => {
    again.current = lookSoon
  }, [lookSoon])
  // biome-ignore lint/correctness/useExhaustiveDependencies: another list has its own news
  useEffect(() => {
    setWaiting(null)
    return () => {
      lists.current++
      clearTimeout(gather.current)
      gather.current = undefined
    }
  }, [key, setWaiting])

  // A list that was left and is shown again: nothing updated it in the meantime.
  useEffect(() => {
    if (client.getQueryData(key) !== undefined) lookSoon()
  }, [client, key, lookSoon])

  // News that came before the list: it may have been read before them.
  const hub = useHub()
  const missed = useRef(false)
  const isHere = query.data !== undefined && !query.isPlaceholderData
  useEffect(() => {
    if (!isHere) return
    if (live === 'open' && hub.takeBehind()) missed.current = true
    if (!missed.current) return
    missed.current = false
    lookSoon()
  }, [isHere, live, hub, lookSoon])

  const tell = useTelling()
  useLiveEvents((event) => {
    const pages = client.getQueryData<Pages>(key)
    if (event.kind === 'note' || event.kind === 'transcript') return
    meanwhile.hear(event)
    if (newest.current) setWaiting(listWithNews(newest.current, event))
    if (!pages) {
      missed.current = true
      return
    }
    if (event.kind === 'reset') return lookSoon()
    const next = pagesWithNews(pages, event)
    if (next === pages && event.kind !== 'gone') {
      const isLegOfRow = event.kind === 'call' && hasCall(pages, event.call.parent_call_sid)
      return isLegOfRow ? undefined : lookSoon()
    }
    if (event.kind === 'recording') tell(pages, event.recording)
    client.setQueryData(key, next)
  })

  const polling = usePolling(live === 'closed', pendingAfter(query.data), look)
  const calls = useMemo(() => query.data?.pages.flatMap((page) => page.calls) ?? [], [query.data])
  useEffect(() => lastList.setCalls(calls), [calls])
  const head = query.data?.pages[0]
  const total = head?.total === undefined ? null : { n: head.total, exact: head.total_is_exact !== false }
  const fresh = waiting && query.data ? newRows(query.data, waiting) : 0
  return { ...query, base, calls, total, polling, fresh, showFresh: () => newest.current && take(newest.current) }
}

/**
 * How far the page is scrolled, according to the last scroll event. The table knows no other place: after a jump to the top it keeps
 * its old rows in view until the event, and new rows above them would move the page back down.
 */
function useScrollPlace() {
  const place = useRef(window.scrollY)
  useEffect(() => {
    const note = () => {
      place.current = window.scrollY
    }
    note()
    window.addEventListener('scroll', note, { passive: true })
    return () => window.removeEventListener('scroll', note)
  }, [])
  return place
}

/** Says aloud when a recording of the list became ready or failed. */
function useTelling() {
  const { t } = useTranslation()
  return (pages: Pages, now: Recording) => {
    if (now.status !== 'ready' && now.status !== 'failed') return
    const holds = (call: Call) =>
      call.recordings.some((r) => r.recording_sid === now.recording_sid && r.status !== now.status)
    const call = pages.pages.flatMap((page) => page.calls).find(holds)
    if (call) announce(t(`live.${now.status}`, { who: nameOf(call) ?? t('calls.unknown') }))
  }
}
