// The rows that are seen, of however many there are. A table by its roles: only its visible part is in the document.
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Call } from '../api/types'
import { dayStart } from '../i18n/format'
import { useFormat } from '../i18n/useFormat'
import { CallRow } from './CallRow'
import type { useCalls } from './useCalls'

type Item = { kind: 'day'; key: string; at: Date } | { kind: 'call'; key: string; call: Call }
const columns = ['play', 'who', 'direction', 'time', 'duration', 'recording', 'more'] as const
const AHEAD = 15 // rows before the end at which more are asked for

function itemsOf(calls: Call[]): Item[] {
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

export function CallTable({ list }: { list: ReturnType<typeof useCalls> }) {
  const { t } = useTranslation()
  const { day } = useFormat()
  const items = useMemo(() => itemsOf(list.calls), [list.calls])
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set())
  const body = useRef<HTMLDivElement>(null)
  const [top, setTop] = useState(0)
  useLayoutEffect(() => setTop(body.current?.offsetTop ?? 0), [])

  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: (i) => (items[i]?.kind === 'day' ? 44 : 57),
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

  return (
    <>
      <div
        className={isPlaceholderData ? 'table stale' : 'table'}
        role="table"
        aria-label={t('calls.title')}
        aria-rowcount={hasNextPage ? -1 : items.length + 1}
        aria-busy={isPlaceholderData || isFetchingNextPage}
      >
        <div role="rowgroup" className="table-head">
          <div role="row" aria-rowindex={1} className="row row-head">
            {columns.map((column) => (
              <span role="columnheader" className={`cell cell-${column}`} key={column}>
                <span className={column === 'play' || column === 'more' ? 'unseen' : undefined}>
                  {t(`calls.columns.${column}`)}
                </span>
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" ref={body} className="table-body" style={{ blockSize: virtual.getTotalSize() }}>
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
                <span role="rowheader" aria-colspan={columns.length}>
                  {day(item.at)}
                </span>
              </div>
            ) : (
              <div key={row.key} {...place} role="presentation" className="entry">
                <CallRow call={item.call} index={row.index + 2} open={open.has(item.call.call_sid)} toggle={toggle} />
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
