// The dates of the list: a few usual spans, and a calendar for any other.
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Icon } from '../ui/Icon'
import { Popover } from '../ui/Popover'
import { dayAfterKey, firstWeekday, spanAfter, weeksOf } from './calendar'
import { type Filters, presets } from './filterNames'
import { chosenDays, dayText, localDay } from './query'

interface Props {
  filters: Filters
  set: (change: Partial<Filters>) => void
}

export function DateFilter({ filters, set }: Props) {
  const { t } = useTranslation()
  const { date } = useFormat()
  const [from, to] = chosenDays(filters)
  const custom =
    from && to && filters.from !== filters.to
      ? `${date(from)} – ${date(to)}`
      : from
        ? to
          ? date(from)
          : t('calls.since', { date: date(from) })
        : to
          ? t('calls.until', { date: date(to) })
          : t('calls.custom')
  const words = filters.date === 'custom' ? custom : t(filters.date ? `calls.${filters.date}` : 'calls.anyDate')
  return (
    <Popover label={t('calls.date')} words={words} set={filters.date !== ''} wide>
      {(close) => (
        <div className="dates">
          <div className="dates-presets">
            {['', ...presets].map((value) => (
              <button
                key={value}
                type="button"
                className="quiet"
                aria-pressed={filters.date === value}
                onClick={() => {
                  set({ date: value, from: '', to: '' })
                  close()
                }}
              >
                {t(value ? `calls.${value}` : 'calls.anyDate')}
              </button>
            ))}
          </div>
          <Calendar
            from={filters.date === 'custom' ? filters.from : ''}
            to={filters.date === 'custom' ? filters.to : ''}
            choose={(day) => {
              const span = filters.date === 'custom' ? spanAfter(filters.from, filters.to, day) : { from: day, to: '' }
              set({ date: 'custom', ...span })
              if (span.to) close()
            }}
          />
        </div>
      )}
    </Popover>
  )
}

function Calendar({ from, to, choose }: { from: string; to: string; choose: (day: string) => void }) {
  const { t, direction } = useTranslation()
  const { tag, date } = useFormat()
  const [at, setAt] = useState(() => localDay(to) ?? localDay(from) ?? new Date()) // has the keyboard
  const moved = useRef(false)
  const grid = useRef<HTMLTableElement>(null)
  const names = useMemo(
    () => ({
      month: new Intl.DateTimeFormat(tag, { month: 'long', year: 'numeric' }),
      day: new Intl.DateTimeFormat(tag, { weekday: 'narrow' }),
      whole: new Intl.DateTimeFormat(tag, { weekday: 'long' }),
    }),
    [tag],
  )
  const weeks = weeksOf(at.getFullYear(), at.getMonth(), firstWeekday(tag))
  const today = dayText(new Date())
  const end = to || from
  useEffect(() => {
    if (moved.current) grid.current?.querySelector<HTMLElement>(`[data-day="${dayText(at)}"]`)?.focus()
    moved.current = false
  }, [at])

  function pressed(event: KeyboardEvent) {
    const next = dayAfterKey(at, event.key, direction === 'ltr')
    if (!next) return
    event.preventDefault()
    event.stopPropagation()
    moved.current = true
    setAt(next)
  }
  const month = (by: number) => setAt(new Date(at.getFullYear(), at.getMonth() + by, 1))
  return (
    <div className="calendar">
      <div className="calendar-head">
        <button
          type="button"
          className="icon-button small"
          aria-label={t('calls.monthBefore')}
          onClick={() => month(-1)}
        >
          <Icon name="start" />
        </button>
        <strong aria-live="polite">{names.month.format(at)}</strong>
        <button
          type="button"
          className="icon-button small calendar-next"
          aria-label={t('calls.monthAfter')}
          onClick={() => month(1)}
        >
          <Icon name="start" />
        </button>
      </div>
      <table ref={grid} onKeyDown={pressed}>
        <thead>
          <tr>
            {weeks[0]?.map((day) => (
              <th key={day.getDay()} scope="col" aria-label={names.whole.format(day)}>
                {names.day.format(day)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weeks.map((week) => (
            <tr key={dayText(week[0] ?? at)}>
              {week.map((day) => {
                const text = dayText(day)
                const edge = text === from || text === to
                const other = day.getMonth() !== at.getMonth()
                return (
                  <td key={text} className={from && text >= from && text <= end ? 'within' : undefined}>
                    <button
                      type="button"
                      data-day={text}
                      className={`day-button${edge ? ' edge' : ''}${other ? ' other' : ''}`}
                      aria-label={date(day)}
                      aria-pressed={edge}
                      aria-current={text === today ? 'date' : undefined}
                      tabIndex={text === dayText(at) ? 0 : -1}
                      onClick={() => choose(text)}
                    >
                      {day.getDate()}
                    </button>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      <p className="help" aria-live="polite">
        {t(from && !to ? 'calls.chooseLast' : 'calls.chooseFirst')}
      </p>
    </div>
  )
}
