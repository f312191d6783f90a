import type { Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { keepingOf } from '../recording/keeping'

/** Says when a recording will be removed, or that a legal hold keeps it. */
export function Keeping({ recording }: { recording: Recording }) {
  const { t } = useTranslation('app')
  const { date, dateTime } = useFormat()
  const keeping = keepingOf(recording)
  if (!keeping) return null
  if (keeping.kind === 'held')
    return (
      <p className="muted" data-keeping="held">
        <strong>{t('call.held', { when: date(keeping.at) })}</strong> <bdi>{keeping.reason}</bdi>
      </p>
    )
  if (keeping.kind === 'soon')
    return (
      <p className="wrong" data-keeping="soon">
        {t('call.goesSoon', { when: dateTime(keeping.at) })}
      </p>
    )
  return (
    <p className="muted" data-keeping="until">
      {t('call.goes', { when: date(keeping.at) })}
    </p>
  )
}
