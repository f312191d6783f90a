import { useQueries } from '@tanstack/react-query'
import { Link } from 'react-router'
import { getCall } from '../api/api'
import type { Call, CallWithLegs } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useCatchUp, useLiveEvents } from '../live/live'
import { inOrder } from '../player/order'
import { Party } from '../recording/Who'
import { type LegLine, type Part, type Timeline, timelineOf } from './timeline'

const MOST = 20

/** The other legs of a call, as far as they are known. The stream updates them. */
export function useLegs(call: CallWithLegs | undefined): Call[] {
  const sids = (call?.legs ?? []).slice(0, MOST)
  const others = useQueries({
    queries: sids.map((sid) => ({
      queryKey: ['call', sid],
      queryFn: ({ signal }: { signal: AbortSignal }) => getCall(sid, { signal }),
    })),
  })
  const read = () => {
    for (const { refetch } of others) void refetch()
  }
  useCatchUp(call !== undefined && others.every(({ isPending }) => !isPending), read)
  useLiveEvents((event) => {
    if (event.kind === 'reset') read()
    else if (event.kind === 'call') void others[sids.indexOf(event.call.call_sid)]?.refetch()
  })
  return others.flatMap(({ data }) => (data ? [data] : []))
}

/** The legs of a call on one scale of time: when each rang, was answered, was recorded. */
export function Legs({ call, others }: { call: CallWithLegs; others: readonly Call[] }) {
  const { t } = useTranslation()
  const { clock } = useFormat()
  const recordings = [call, ...others].flatMap((leg) => leg.recordings)
  const once = recordings.filter((r, i) => recordings.findIndex((o) => o.recording_sid === r.recording_sid) === i)
  const timeline = timelineOf([call, ...others], inOrder(once))
  if (!timeline) return null
  return (
    <section aria-labelledby="legs">
      <h2 id="legs">{t('call.timeline')}</h2>
      <ol className="legs">
        {timeline.lines.map((line) => (
          <li key={line.leg.call_sid} aria-current={line.leg.call_sid === call.call_sid ? 'page' : undefined}>
            <Line line={line} timeline={timeline} here={line.leg.call_sid === call.call_sid} />
          </li>
        ))}
      </ol>
      <div className="legs-scale" aria-hidden="true" dir="ltr">
        <span>0:00</span>
        <span>{clock(timeline.seconds)}</span>
      </div>
      <ul className="legs-key" aria-hidden="true">
        {(['rang', 'talked', 'recorded'] as const).map((kind) => (
          <li key={kind}>
            <span className={`leg-part leg-${kind}`} />
            {t(`call.${kind}`)}
          </li>
        ))}
      </ul>
    </section>
  )
}

function Line({ line, timeline, here }: { line: LegLine; timeline: Timeline; here: boolean }) {
  const { t } = useTranslation()
  const { time } = useFormat()
  const { leg, parts } = line
  const single = timeline.lines.length === 1
  const name = single
    ? t('call.oneLeg')
    : t(leg.parent_call_sid === null ? 'call.parentLeg' : line.transferred ? 'call.transferredLeg' : 'call.childLeg')
  const at = new Date(Date.parse(leg.started_at ?? ''))
  return (
    <div className="leg">
      <div className="leg-text">
        {here ? <strong>{name}</strong> : <Link to={`/calls/${leg.call_sid}`}>{name}</Link>}
        <span className="muted leg-parties">
          {leg.from && <Party text={leg.from} />}
          <span aria-hidden="true" className="leg-arrow">
            →
          </span>
          {leg.to && <Party text={leg.to} />}
        </span>
        <span className="muted leg-told">
          <span>{time(at)}</span>
          {leg.status && leg.status !== 'completed' && (
            <span>{t(`callStatus.${leg.status}`, { defaultValue: leg.status })}</span>
          )}
          <Told parts={parts} />
        </span>
      </div>
      <div className="leg-line" aria-hidden="true" dir="ltr">
        {parts.map((part) => (
          <span
            key={`${part.kind} ${part.from} ${part.to}`}
            className={`leg-part leg-${part.kind}`}
            style={{
              left: `${(part.from / timeline.seconds) * 100}%`,
              width: `${Math.max(0.5, ((part.to - part.from) / timeline.seconds) * 100)}%`,
            }}
          />
        ))}
      </div>
    </div>
  )
}

function Told({ parts }: { parts: readonly Part[] }) {
  const { t } = useTranslation()
  const { clock } = useFormat()
  return parts.map(({ kind, from, to }) => (
    <span key={`${kind} ${from} ${to}`}>{t(`call.${kind}For`, { time: clock(to - from) })}</span>
  ))
}
