import { Link } from 'react-router'
import type { Stats } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { absentOf } from './figures'

const order = ['ready', 'downloading', 'queued', 'missing', 'failed', 'absent', 'expired'] as const

/** How many recordings are in which state, as one bar and as numbers that lead to the calls. */
export function States({ stats }: { stats: Stats }) {
  const { t } = useTranslation()
  const { number } = useFormat()
  const absent = absentOf(stats.failures)
  const recordings = { ...stats.recordings, failed: Math.max(0, stats.recordings.failed - absent), absent }
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
            <Link to={`/?recording=${state === 'absent' ? 'failed' : state}`}>
              <span className={`dot stack-${state}`} aria-hidden="true" />
              {t(`recording.${state === 'downloading' ? 'arrivingSome' : state}`)}{' '}
              <strong className="digits">{number(recordings[state])}</strong>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  )
}
