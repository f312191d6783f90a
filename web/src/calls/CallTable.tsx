// The rows that are seen, of however many there are. A table by its roles: only its visible part is in the document.
import { useWindowVirtualizer, type VirtualItem } from '@tanstack/react-virtual'
import { type ReactNode, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Call } from '../api/types'
import { lastList } from '../app/lastList'
import { settings, useSettings } from '../app/settings'
import { useTranslation } from '../i18n'
import { dayStart } from '../i18n/day'
import { useFormat } from '../i18n/useFormat'
import { Icon } from '../ui/Icon'
import { useToday } from '../ui/useToday'
import { CallRow } from './CallRow'
import { ColumnEdge } from './ColumnEdge'
import { type Column, gridOf, type Widths } from './columns'
import { sortAfter } from './query'
import type { useCalls } from './useCalls'
import type { Chosen } from './useChosen'

type Item = { kind: 'day'; key: string; at: Date } | { kind: 'call'; key: string; call: Call }
const AHEAD = 15 // rows before the end at which more are asked for

interface Props {
  list: ReturnType<typeof useCalls>
  columns: readonly Column[]
  sort: string
  setSort: (sort: string) => void
  chosen: Chosen
}

/** With days between the calls, where they are in order of time. */
function itemsOf(calls: Call[], byTime: boolean): Item[] {
  if (!byTime) return calls.map((call) => ({ kind: 'call', key: call.call_sid, call }))
  const items: Item[] = []
  let day = ''
  for (const call of calls) {
    const at = call.started_at ? dayStart(new Date(call.started_at)) : null
    const key = at ? String(at.getTime()) : day
    if (at && key !== day) items.push({ kind: 'day', key: `day ${key}`, at })
    day = key
    items.push({ kind: 'call', key: call.call_sid, call })
  }
  return items
}

export function CallTable({ list, columns, sort, setSort, chosen }: Props) {
  const { t } = useTranslation()
  const { day } = useFormat()
  const byTime = !sort.includes('duration')
  const items = useMemo(() => itemsOf(list.calls, byTime), [list.calls, byTime])
  const choosing = chosen.calls !== null
  const { widths, dense } = useSettings()
  const [dragged, setDragged] = useState<Widths | null>(null)
  const grid = { '--columns': gridOf(columns, choosing, dragged ?? widths) } as React.CSSProperties
  const resize = useCallback((next: Widths | null, kept: boolean) => {
    setDragged(kept ? null : next)
    if (kept) settings.set({ widths: next })
  }, [])
  const today = new Date(useToday())
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const body = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => setTop((body.current?.getBoundingClientRect().top ?? 0) + window.scrollY), [])
  useKeyboardBack()

  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (i) => (items[i]?.kind === 'day' ? 44 : dense ? 41 : 57),
    getItemKey: (i) => items[i]?.key ?? i,
    overscan: 8,
    scrollMargin: top,
  })
  const rows = virtual.getVirtualItems()
  const last = rows.at(-1)?.index ?? 0
  const { hasNextPage, isFetchingNextPage, isPlaceholderData, fetchNextPage } = list
  useEffect(() => {
    if (last >= items.length - AHEAD && hasNextPage && !isFetchingNextPage && !isPlaceholderData) void fetchNextPage()
  }, [last, items.length, hasNextPage, isFetchingNextPage, isPlaceholderData, fetchNextPage])

  const toggle = useCallback((sid: string) => {
    setOpen((before) => {
      const after = new Set(before)
      if (!after.delete(sid)) after.add(sid)
      return after
    })
  }, [])

  const above = dayAbove(items, rows, (virtual.scrollOffset ?? 0) + UNDER_HEAD)
  return (
    <>
      <div
        className={`table${isPlaceholderData ? ' stale' : ''}${choosing ? ' choosing' : ''}${dense ? ' dense' : ''}`}
        role="table"
        aria-label={t('calls.title')}
        aria-rowcount={hasNextPage ? -1 : items.length + 1}
        aria-busy={isPlaceholderData || isFetchingNextPage}
      >
        <div role="rowgroup" className="table-head" style={grid}>
          <div role="row" aria-rowindex={1} className="row row-head">
            {choosing && <Head column="choose" unseen />}
            <Head column="play" unseen />
            {(['who', ...columns] as const).map((column, i) => (
              <Head key={column} column={column} sort={sort} setSort={setSort}>
                {columns[i] && <ColumnEdge column={column} next={columns[i]} resize={resize} />}
              </Head>
            ))}
            <Head column="more" unseen />
          </div>
        </div>
        {above && (
          <div className="day-above" aria-hidden="true">
            <span>{day(above, today)}</span>
          </div>
        )}
        <div role="rowgroup" ref={body} className="table-body" style={{ ...grid, blockSize: virtual.getTotalSize() }}>
          {rows.map((row) => {
            const item = items[row.index]
            if (!item) return null
            const place = {
              ref: virtual.measureElement,
              'data-index': row.index,
              style: { transform: `translateY(${row.start - virtual.options.scrollMargin}px)` },
            }
            return item.kind === 'day' ? (
              <div key={row.key} {...place} role="row" aria-rowindex={row.index + 2} className="day">
                <span role="rowheader" aria-colspan={columns.length + (choosing ? 4 : 3)}>
                  {day(item.at, today)}
                </span>
              </div>
            ) : (
              <div key={row.key} {...place} role="presentation" className="entry">
                <CallRow
                  call={item.call}
                  index={row.index + 2}
                  open={open.has(item.call.call_sid)}
                  columns={columns}
                  sorted={!byTime}
                  toggle={toggle}
                  chosen={choosing ? chosen.has(item.call.call_sid) : null}
                  choose={chosen.choose}
                />
              </div>
            )
          })}
        </div>
      </div>
      <p className="table-end" role="status">
        {isFetchingNextPage ? t('calls.loadingMore') : hasNextPage ? '' : t('calls.end')}
      </p>
    </>
  )
}

const UNDER_HEAD = 100 // px that the top of the page and the head of the table cover

/** The day of the first row that is seen, where its heading has been scrolled away. */
function dayAbove(items: readonly Item[], rows: readonly VirtualItem[], offset: number): Date | null {
  const first = rows.find((row) => row.end > offset)
  if (!first) return null
  for (let i = first.index; i >= 0; i--) {
    const item = items[i]
    if (item?.kind !== 'day') continue
    const row = rows.find(({ index }) => index === i)
    return row && row.start >= offset - DAY_PX / 2 ? null : item.at
  }
  return null
}
const DAY_PX = 44

interface HeadProps {
  column: Column | 'choose' | 'play' | 'who' | 'more'
  unseen?: boolean
  sort?: string
  setSort?: (sort: string) => void
  children?: ReactNode // at its end
}

/** The head of a column; time and length are pressed for their order. */
function Head({ column, unseen = false, sort = '', setSort, children }: HeadProps) {
  const { t } = useTranslation()
  const words = t(`calls.columns.${column}`)
  if ((column !== 'time' && column !== 'duration') || !setSort)
    return (
      <span role="columnheader" className={`cell cell-${column}`} data-column={unseen ? undefined : column}>
        <span className={unseen ? 'unseen' : 'head-words'}>{words}</span>
        {children}
      </span>
    )
  const isBy = column === 'time' ? !sort.includes('duration') : sort.includes('duration')
  const up = sort === 'started_at' || sort === 'duration'
  return (
    <span
      role="columnheader"
      className={`cell cell-${column}`}
      data-column={column}
      aria-sort={isBy ? (up ? 'ascending' : 'descending') : undefined}
    >
      <button
        type="button"
        className={`sort${isBy ? ' sort-by' : ''}${isBy && up ? ' sort-up' : ''}`}
        onClick={() => setSort(sortAfter(column === 'time' && !isBy ? 'other' : sort, column))}
      >
        {words}
        <Icon name="chevron" />
      </button>
      {children}
    </span>
  )
}

/** Back from a call, the keyboard is on its row again, unless it is somewhere already. */
function useKeyboardBack() {
  useEffect(() => {
    const sid = lastList.takeOpened()
    if (!sid) return
    let frame = 0
    const look = (left: number) => {
      const link = document.querySelector<HTMLElement>(`.row[data-call="${CSS.escape(sid)}"] .row-link`)
      const taken = document.activeElement && document.activeElement !== document.body
      if (link && !taken) link.focus({ preventScroll: true })
      else if (!taken && left > 0) frame = requestAnimationFrame(() => look(left - 1))
    }
    frame = requestAnimationFrame(() => look(60))
    return () => cancelAnimationFrame(frame)
  }, [])
}
