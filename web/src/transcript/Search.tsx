// Searching within a transcript. Enter leads to the next place, with Shift to the one before.
import type { KeyboardEvent } from 'react'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Icon } from '../ui/Icon'

interface Props {
  query: string
  found: number
  chosen: number
  change: (query: string) => void
  choose: (n: number) => void
}

export function Search({ query, found, chosen, change, choose }: Props) {
  const { t } = useTranslation('transcript')
  const { number } = useFormat()
  function pressed(event: KeyboardEvent) {
    if (event.key === 'Escape' && query) change('')
    else if (event.key === 'Enter') choose(chosen + (event.shiftKey ? -1 : 1))
    else return
    event.preventDefault()
  }
  return (
    <div className="transcript-search" role="search" aria-label={t('search')}>
      <Icon name="search" />
      <input
        type="text"
        inputMode="search"
        value={query}
        dir="auto"
        placeholder={t('search')}
        aria-label={t('search')}
        onChange={(event) => change(event.target.value)}
        onKeyDown={pressed}
      />
      <span role="status" className="digits">
        {query.trim() !== '' &&
          (found > 0 ? t('foundOf', { n: number(chosen + 1), count: found, all: number(found) }) : t('notFound'))}
      </span>
      <button
        type="button"
        className="icon-button small found-before"
        aria-label={t('foundBefore')}
        disabled={found < 2}
        onClick={() => choose(chosen - 1)}
      >
        <Icon name="chevron" />
      </button>
      <button
        type="button"
        className="icon-button small"
        aria-label={t('foundAfter')}
        disabled={found < 2}
        onClick={() => choose(chosen + 1)}
      >
        <Icon name="chevron" />
      </button>
    </div>
  )
}
