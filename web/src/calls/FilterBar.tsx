import { useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Icon } from '../ui/Icon'
import { canSearch, countFilters, type FilterName, type Filters } from './filters'

const outcomes = [
  'completed',
  'in-progress',
  'no-answer',
  'busy',
  'failed',
  'canceled',
  'ringing',
  'queued',
  'initiated',
]
const states = ['ready', 'downloading', 'queued', 'failed', 'missing', 'expired']
const dates = ['today', 'yesterday', 'week', 'month', 'custom']
const SEARCH_MS = 300

interface Props {
  filters: Filters
  set: (change: Partial<Filters>) => void
  clear: () => void
  cleared: number
}

export function FilterBar({ filters, set, clear, cleared }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const panel = useId()
  const count = countFilters(filters)
  const choice = (name: FilterName, label: string, options: [string, string][]) => (
    <label className="filter">
      <span className="unseen">{label}</span>
      <select
        value={filters[name]}
        className={filters[name] ? 'set' : undefined}
        onChange={(event) => set({ [name]: event.target.value })}
      >
        {options.map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <search className="filters">
      <Search key={cleared} value={filters.q} set={(q) => set({ q })} />
      <button
        type="button"
        className="button filters-toggle"
        aria-expanded={open}
        aria-controls={panel}
        aria-label={count ? t('calls.filtersOn', { count }) : t('calls.filters')}
        onClick={() => setOpen(!open)}
      >
        <Icon name="filter" />
        {count > 0 && <span className="count">{count}</span>}
      </button>
      <div id={panel} className={open ? 'filters-more open' : 'filters-more'}>
        {choice('date', t('calls.date'), [
          ['', t('calls.anyDate')],
          ...dates.map((d): [string, string] => [d, t(`calls.${d}`)]),
        ])}
        {filters.date === 'custom' && (
          <>
            <label className="filter">
              <span>{t('calls.from')}</span>
              <input
                type="date"
                value={filters.from}
                max={filters.to || undefined}
                onChange={(e) => set({ from: e.target.value })}
              />
            </label>
            <label className="filter">
              <span>{t('calls.to')}</span>
              <input
                type="date"
                value={filters.to}
                min={filters.from || undefined}
                onChange={(e) => set({ to: e.target.value })}
              />
            </label>
          </>
        )}
        {choice('direction', t('calls.direction'), [
          ['', t('calls.anyDirection')],
          ['inbound', t('calls.inbound')],
          ['outbound', t('calls.outbound')],
        ])}
        {choice('has', t('calls.has'), [
          ['', t('calls.hasAny')],
          ['yes', t('calls.hasYes')],
          ['no', t('calls.hasNo')],
        ])}
        {choice('recording', t('calls.recording'), [
          ['', t('calls.anyRecording')],
          ...states.map((s): [string, string] => [s, t(`recording.filter.${s}`)]),
        ])}
        {choice('status', t('calls.status'), [
          ['', t('calls.anyStatus')],
          ...outcomes.map((s): [string, string] => [s, t(`callStatus.${s}`)]),
        ])}
        {(count > 0 || filters.q) && (
          <button type="button" className="quiet" onClick={clear}>
            {t('calls.clear')}
          </button>
        )}
      </div>
    </search>
  )
}

/** Asks a moment after the last key. The field is the reader's; the address follows, and leads when it changes by itself. */
function Search({ value, set }: { value: string; set: (q: string) => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState(value)
  const asked = useRef(value)
  const help = useId()
  useEffect(() => {
    if (value === asked.current) return
    asked.current = value
    setText(value)
  }, [value])
  const latest = useRef(set)
  useEffect(() => {
    latest.current = set
  })
  useEffect(() => {
    const wanted = text.trim()
    if (wanted === asked.current) return
    const timer = setTimeout(() => {
      asked.current = wanted
      latest.current(wanted)
    }, SEARCH_MS)
    return () => clearTimeout(timer)
  }, [text])
  const short = text.trim() !== '' && !canSearch(text.trim())
  return (
    <div className="search">
      <Icon name="search" />
      <input
        type="search"
        value={text}
        placeholder={t('calls.searchHint')}
        aria-label={t('calls.search')}
        aria-describedby={short ? help : undefined}
        autoComplete="off"
        spellCheck={false}
        dir={text ? 'auto' : undefined}
        onChange={(event) => setText(event.target.value)}
      />
      {short && (
        <span id={help} className="search-short">
          {t('calls.searchShort')}
        </span>
      )}
    </div>
  )
}
