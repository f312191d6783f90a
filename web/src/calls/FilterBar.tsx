import { useEffect, useId, useRef, useState } from 'react'
import { useTranslation } from '../i18n'
import { Icon } from '../ui/Icon'
import { DateFilter } from './DateFilter'
import { type FilterName, type Filters, outcomes, sorts, states } from './filterNames'
import { MoreFilters } from './MoreFilters'
import { canSearch, countFilters } from './query'

const SEARCH_MS = 300

interface Props {
  filters: Filters
  set: (change: Partial<Filters>) => void
  clear: () => void
  cleared: number
  agents: readonly string[]
}

export function FilterBar({ filters, set, clear, cleared, agents }: Props) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  const panel = useId()
  const count = countFilters(filters)
  const choice = (
    label: string,
    value: string,
    change: (value: string) => Partial<Filters>,
    options: [string, string][],
    kind = '',
  ) => (
    <label className={`filter ${kind}`}>
      <span className="unseen">{label}</span>
      <select value={value} className={value ? 'set' : undefined} onChange={(event) => set(change(event.target.value))}>
        {options.map(([one, words]) => (
          <option key={one} value={one}>
            {words}
          </option>
        ))}
      </select>
    </label>
  )
  const simple = (name: FilterName) => (value: string) => ({ [name]: value })
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
        <DateFilter filters={filters} set={set} />
        {choice(t('calls.direction'), filters.direction, simple('direction'), [
          ['', t('calls.anyDirection')],
          ['inbound', t('calls.inbound')],
          ['outbound', t('calls.outbound')],
        ])}
        {choice(
          t('calls.recording'),
          filters.recording || filters.has,
          (value) =>
            value === 'yes' || value === 'no' ? { has: value, recording: '' } : { has: '', recording: value },
          [
            ['', t('calls.anyRecording')],
            ['yes', t('calls.hasYes')],
            ['no', t('calls.hasNo')],
            ...states.map((s): [string, string] => [s, t(`recording.filter.${s}`)]),
          ],
        )}
        {choice(t('calls.status'), filters.status, simple('status'), [
          ['', t('calls.anyStatus')],
          ...outcomes.map((s): [string, string] => [s, t(`callStatus.${s}`)]),
        ])}
        <MoreFilters filters={filters} set={set} agents={agents} />
        {choice(
          t('calls.order'),
          filters.sort,
          simple('sort'),
          ['', ...sorts].map((sort): [string, string] => [sort, t(`calls.orders.${sort || '-started_at'}`)]),
          'filter-order',
        )}
        {(count > 0 || filters.q) && (
          <button type="button" className="quiet filters-clear" onClick={clear}>
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
