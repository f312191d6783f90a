import { useQueries } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { getCall } from '../api/api'
import type { Call, CallWithLegs } from '../api/types'
import { useFormat } from '../i18n/useFormat'

/** The legs of a call: this one, its parent, its children. */
export function Legs({ call }: { call: CallWithLegs }) {
  const { t } = useTranslation()
  const others = useQueries({
    queries: call.legs.slice(0, 20).map((sid) => ({
      queryKey: ['call', sid],
      queryFn: ({ signal }: { signal: AbortSignal }) => getCall(sid, { signal }),
    })),
  })
  const known = others.map((query) => query.data)
  return (
    <section aria-labelledby="legs">
      <h2 id="legs">{t('call.legs')}</h2>
      {call.legs.length === 0 ? (
        <p className="muted">{t('call.noLegs')}</p>
      ) : (
        <ul className="legs">
          <li aria-current="page">
            <Leg leg={call} words={t('call.thisLeg')} />
          </li>
          {call.legs.map((sid, i) => (
            <li key={sid}>
              <Link to={`/calls/${sid}`}>
                <Leg leg={known[i]} words={t(sid === call.parent_call_sid ? 'call.parentLeg' : 'call.childLeg')} />
              </Link>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

function Leg({ leg, words }: { leg: Call | undefined; words: string }) {
  const { t } = useTranslation()
  const { time, clock } = useFormat()
  return (
    <span className="leg">
      <strong>{words}</strong>
      {leg && (
        <span className="muted">
          <bdi dir="ltr">
            {leg.from ?? '?'} → {leg.to ?? '?'}
          </bdi>
          {leg.started_at && <span>{time(new Date(leg.started_at))}</span>}
          {leg.duration !== null && <span dir="ltr">{clock(leg.duration)}</span>}
          {leg.status && leg.status !== 'completed' && (
            <span>{t(`callStatus.${leg.status}`, { defaultValue: leg.status })}</span>
          )}
        </span>
      )}
    </span>
  )
}
