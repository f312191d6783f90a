// The origin of a transcript: the engine and its model, the language, the people who corrected it; earlier versions.
import { useId } from 'react'
import type { Transcript } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { languageName } from '../settings/languages'

interface Props {
  transcript: Transcript
  newest: number
  show: (version: number | null) => void
  restore: (() => void) | null
}

export function Origin({ transcript, newest, show, restore }: Props) {
  const { t } = useTranslation(['transcript', 'app'])
  const { dateTime, tag } = useFormat()
  const id = useId()
  const { engine, model, language, version, edited_by, edited_at } = transcript
  const made = [model, engine && t(`engine.${engine}`, { defaultValue: engine })].filter(Boolean).join(', ')
  return (
    <footer className="transcript-origin help">
      {made && (
        <span>
          {t('by')} <bdi>{made}</bdi>
        </span>
      )}
      {language && <span>{languageName(tag, language)}</span>}
      {edited_by && edited_at && (
        <span>
          {t('corrected', { when: dateTime(new Date(edited_at)) })}{' '}
          <bdi>
            {edited_by.startsWith('key:')
              ? t('app:settings.keyNumber', { id: edited_by.slice(4) })
              : edited_by.replace(/^user:/, '')}
          </bdi>
        </span>
      )}
      {newest > 1 && (
        <span>
          <label htmlFor={id}>{t('version')}</label>{' '}
          <select
            id={id}
            value={version ?? newest}
            onChange={(event) => {
              const chosen = Number(event.target.value)
              show(chosen === newest ? null : chosen)
            }}
          >
            {Array.from({ length: newest }, (_, i) => newest - i).map((n) => (
              <option key={n} value={n}>
                {n === newest ? t('versionNewest', { n }) : n === 1 ? t('versionFirst', { n }) : n}
              </option>
            ))}
          </select>
        </span>
      )}
      {restore && (
        <button type="button" className="quiet" onClick={restore}>
          {t('restore')}
        </button>
      )}
    </footer>
  )
}
