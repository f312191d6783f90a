import { useQuery } from '@tanstack/react-query'
import { Link } from 'react-router'
import { listCalls } from '../api/api'
import type { CallWithLegs } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useCatchUp, useLiveEvents } from '../live/live'
import { Icon } from '../ui/Icon'

const SHOWN = 5

/** Other calls with the same number, the newest first. */
export function Others({ call }: { call: CallWithLegs }) {
  const { t } = useTranslation()
  const { dateTime, clock } = useFormat()
  const number = call.customer_number
  const { data, isPending, refetch } = useQuery({
    queryKey: ['calls of', number],
    queryFn: ({ signal }) =>
      listCalls(new URLSearchParams({ search: number ?? '', limit: String(SHOWN + 1) }), { signal }),
    enabled: number !== null,
  })
  useCatchUp(!isPending, refetch)
  useLiveEvents((event) => {
    const isOurs = event.kind === 'call' && event.call.customer_number === number
    if (number !== null && (event.kind === 'reset' || isOurs)) void refetch()
  })
  const family = [call.call_sid, ...call.legs]
  const others = (data?.calls ?? []).filter((one) => !family.includes(one.call_sid)).slice(0, SHOWN)
  if (!number || others.length === 0) return null
  return (
    <section aria-labelledby="others">
      <h2 id="others">{t('call.others')}</h2>
      <ul className="others">
        {others.map((one) => (
          <li key={one.call_sid}>
            <Link to={`/calls/${one.call_sid}`}>
              {one.direction && <Icon name={one.direction === 'inbound' ? 'incoming' : 'outgoing'} />}
              {one.direction && <span className="unseen">{t(`calls.${one.direction}`)}</span>}
              <span>{one.started_at && dateTime(new Date(one.started_at))}</span>
              <span className="muted digits">
                {one.status && one.status !== 'completed'
                  ? t(`callStatus.${one.status}`, { defaultValue: one.status })
                  : clock(one.duration)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {data?.next_cursor && (
        <Link to={`/?q=${encodeURIComponent(number)}`} className="quiet">
          {t('call.allOthers')}
        </Link>
      )}
    </section>
  )
}
