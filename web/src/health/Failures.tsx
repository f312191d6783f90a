import { useMutation, useQueryClient } from '@tanstack/react-query'
import { retryAll } from '../api/api'
import { Problem } from '../api/http'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { useLimit } from '../ui/useLimit'
import { ANY, failureRows, isAbsence } from './figures'

interface FailuresProps {
  failures: Record<string, number>
  retrying: Record<string, number>
}

/** Why recordings failed, the most frequent reason first, and trying all of one again. */
export function Failures({ failures, retrying }: FailuresProps) {
  const { t } = useTranslation(['app', 'errors'])
  const { number, time } = useFormat()
  const client = useQueryClient()
  const limit = useLimit()
  const again = useMutation({
    mutationFn: retryAll,
    onSuccess: ({ queued, more }) => {
      const said = more ? t('health.retriedSome', { done: number(queued) }) : t('health.retried', { count: queued })
      announce(said, { shown: true })
      void client.invalidateQueries({ queryKey: ['stats'] })
    },
    onError: (why) =>
      limit.meet(why) || announce(t(`errors:${why instanceof Problem ? why.code : 'internal'}`), { shown: true }),
  })
  const rows = failureRows(failures, retrying)
  const most = Math.max(1, ...rows.map(({ failed }) => failed))
  return (
    <section className="panel" aria-labelledby="failures">
      <h2 id="failures">{t('health.failures')}</h2>
      {ANY in retrying && <p className="help">{t('health.retryOfAllGoesOn', { done: number(retrying[ANY] ?? 0) })}</p>}
      {limit.until && (
        <p className="wrong" role="status">
          {t('call.againAt', { when: time(limit.until) })}
        </p>
      )}
      {rows.length === 0 && <p className="muted">{t('health.noFailures')}</p>}
      {rows.length > 0 && (
        <table className="plain-table failures">
          <thead>
            <tr>
              <th scope="col">{t('health.reason')}</th>
              <th scope="col" className="count-column">
                {t('health.count')}
              </th>
              <th scope="col">
                <span className="unseen">{t('health.retryAll')}</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ code, failed, queued }) => {
              const reason = t(`errors:${code}`, { defaultValue: code })
              return (
                <tr key={code} data-code={code}>
                  <th scope="row">
                    {reason}
                    <span
                      className="failure-bar"
                      style={{ inlineSize: `${(failed / most) * 100}%` }}
                      aria-hidden="true"
                    />
                    {queued !== null && (
                      <span className="help retry-progress">
                        {t('health.retryGoesOn', { done: number(queued), left: number(failed) })}
                      </span>
                    )}
                  </th>
                  <td className="digits count-column">{number(failed)}</td>
                  <td>
                    {!isAbsence(code) && (
                      <button
                        type="button"
                        className="button"
                        disabled={again.isPending || limit.until !== null || queued !== null || ANY in retrying}
                        aria-label={t('health.retryAllOf', { reason })}
                        onClick={() => again.mutate(code)}
                      >
                        <Icon name="again" />
                        {t('health.retryAll')}
                      </button>
                    )}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      )}
    </section>
  )
}
