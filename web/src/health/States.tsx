import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Stats } from '../api/types'
import { useFormat } from '../i18n/useFormat'

const order = ['ready', 'downloading', 'queued', 'missing', 'failed', 'expired'] as const

/** How many recordings are in which state, as one bar and as numbers that lead to the calls. */
export function States({ recordings }: { recordings: Stats['recordings'] }) {
  const { t } = useTranslation()
  const { number } = useFormat()
  const all = Math.max(
    1,
    order.reduce((sum, state) => sum + recordings[state], 0),
  )
  return (
    <section className="panel" aria-labelledby="states">
      <h2 id="states">{t('health.states')}</h2>
      <div className="stack" aria-hidden="true">
        {order.map((state) => (
          <span
            key={state}
            className={`stack-${state}`}
            style={{ inlineSize: `${(recordings[state] / all) * 100}%` }}
          />
        ))}
      </div>
      <ul className="counts">
        {order.map((state) => (
          <li key={state}>
            <Link to={`/?recording=${state}`}>
              <span className={`dot stack-${state}`} aria-hidden="true" />
              {t(`recording.filter.${state}`)} <strong className="digits">{number(recordings[state])}</strong>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
