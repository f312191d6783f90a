// Filters that not everybody needs each day: agent, own number, tag, length.
import { useId, useState } from 'react'
import { settings, useSettings } from '../app/settings'
import { useTranslation } from '../i18n'
import { clock } from '../i18n/format'
import { useSession } from '../signin/session'
import { Popover } from '../ui/Popover'
import type { Filters } from './filterNames'
import { countMore, secondsOf } from './query'

interface Props {
  filters: Filters
  set: (change: Partial<Filters>) => void
  agents: readonly string[] // of the calls that are shown
}

export function MoreFilters({ filters, set, agents }: Props) {
  const { t } = useTranslation()
  const me = useMe()
  return (
    <>
      {me !== '' && (
        <button
          type="button"
          className={filters.agent === me ? 'button popover-button set' : 'button popover-button'}
          aria-pressed={filters.agent === me}
          onClick={() => set({ agent: filters.agent === me ? '' : me })}
        >
          {t('calls.mine')}
        </button>
      )}
      <Popover label={t('calls.moreFilters')} count={countMore(filters)}>
        {() => <Panel filters={filters} set={set} agents={agents} me={me} />}
      </Popover>
    </>
  )
}

/** The agent that the reader is: as chosen, else as signed in. */
function useMe(): string {
  const { me } = useSettings()
  const { subject } = useSession()
  return me || (subject && !subject.startsWith('key:') ? subject : '')
}

function Panel({ filters, set, agents, me }: Props & { me: string }) {
  const { t } = useTranslation()
  const list = useId()
  const names = [...new Set([...(me ? [me] : []), ...agents])].sort((a, b) => a.localeCompare(b))
  return (
    <div className="more-filters">
      <Text label={t('calls.agent')} value={filters.agent} set={(agent) => set({ agent })} list={list} />
      <datalist id={list}>
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {filters.agent && (
        <label className="check">
          <input
            type="checkbox"
            checked={filters.agent === me}
            onChange={(event) => settings.set({ me: event.target.checked ? filters.agent : '' })}
          />
          {t('calls.thisIsMe')}
        </label>
      )}
      <Text label={t('calls.own')} value={filters.own} set={(own) => set({ own })} ltr />
      <Text label={t('calls.tag')} value={filters.tag} set={(tag) => set({ tag })} />
      <fieldset className="length">
        <legend>{t('calls.length')}</legend>
        <Length label={t('calls.atLeast')} value={filters.min} set={(min) => set({ min })} />
        <Length label={t('calls.atMost')} value={filters.max} set={(max) => set({ max })} />
      </fieldset>
    </div>
  )
}

interface TextProps {
  label: string
  value: string
  set: (value: string) => void
  list?: string
  ltr?: boolean
}

/** Takes effect with Enter, with a choice of the list, or when it is left. */
function Text({ label, value, set, list, ltr = false }: TextProps) {
  const [text, setText] = useState<string | null>(null)
  const done = () => {
    if (text !== null && text.trim() !== value) set(text.trim())
    setText(null)
  }
  return (
    <label className="more-filter">
      <span>{label}</span>
      <input
        value={text ?? value}
        list={list}
        dir={ltr ? 'ltr' : 'auto'}
        maxLength={200}
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setText(event.target.value)}
        onBlur={done}
        onKeyDown={(event) => event.key === 'Enter' && done()}
      />
    </label>
  )
}

/** Minutes and seconds, or seconds. */
function Length({ label, value, set }: { label: string; value: string; set: (value: string) => void }) {
  const { t } = useTranslation()
  const [text, setText] = useState<string | null>(null)
  const help = useId()
  const wrong = text !== null && text.trim() !== '' && secondsOf(text) === null
  const done = () => {
    if (text === null || wrong) return
    const seconds = text.trim() === '' ? '' : String(secondsOf(text) ?? '')
    if (seconds !== value) set(seconds)
    setText(null)
  }
  return (
    <label className="more-filter">
      <span>{label}</span>
      <input
        value={text ?? (value ? clock(Number(value)) : '')}
        dir="ltr"
        inputMode="numeric"
        placeholder="m:ss"
        autoComplete="off"
        aria-invalid={wrong || undefined}
        aria-describedby={wrong ? help : undefined}
        onChange={(event) => setText(event.target.value)}
        onBlur={done}
        onKeyDown={(event) => event.key === 'Enter' && done()}
      />
      {wrong && (
        <small id={help} className="wrong">
          {t('calls.lengthHelp')}
        </small>
      )}
    </label>
  )
}
