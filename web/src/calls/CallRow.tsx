import { memo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Call, Recording } from '../api/types'
import { useFormat } from '../i18n/useFormat'
import { inOrder, playableOf } from '../player/order'
import { PlayButton } from '../player/PlayButton'
import { Chip } from '../recording/Chip'
import { isPlayable } from '../recording/state'
import { nameOf, Who } from '../recording/Who'
import { Icon } from '../ui/Icon'

export const FROM_LIST = { from: 'list' }

interface Props {
  call: Call
  index: number
  open: boolean
  toggle: (sid: string) => void
}

/** One call, its legs folded: its recordings are played in order of time, and the first that can be heard stands for all. */
export const CallRow = memo(function CallRow({ call, index, open, toggle }: Props) {
  const { t } = useTranslation()
  const { time, clock, dateTime } = useFormat()
  const who = nameOf(call) ?? t('calls.unknown')
  const ordered = inOrder(call.recordings)
  const playable = playableOf(call)
  const shown = playable[0] ?? ordered[0]
  const more = call.recordings.length - 1
  const at = call.started_at ? new Date(call.started_at) : null
  const unanswered = call.status !== null && call.status !== 'completed'
  return (
    <>
      <div role="row" aria-rowindex={index} className="row" data-call={call.call_sid}>
        <span role="cell" className="cell cell-play">
          {playable.length > 0 && <PlayButton call={call} recordings={playable} who={who} />}
        </span>
        <span role="cell" className="cell cell-who">
          <Link to={`/calls/${call.call_sid}`} className="row-link" state={FROM_LIST}>
            <Who call={call} />
          </Link>
        </span>
        <span role="cell" className="cell cell-direction">
          {call.direction && (
            <span className="direction">
              <Icon name={call.direction === 'inbound' ? 'incoming' : 'outgoing'} />
              <span>{t(`calls.${call.direction}`)}</span>
            </span>
          )}
        </span>
        <span role="cell" className="cell cell-time">
          {at && (
            <time dateTime={call.started_at ?? undefined} title={dateTime(at)}>
              {time(at)}
            </time>
          )}
        </span>
        <span role="cell" className="cell cell-duration digits">
          {unanswered && call.status ? (
            <span className="outcome">{t(`callStatus.${call.status}`, { defaultValue: call.status })}</span>
          ) : (
            <span dir="ltr">{clock(call.duration)}</span>
          )}
        </span>
        <span role="cell" className="cell cell-recording">
          {shown ? <Chip recording={shown} /> : <span className="chip chip-none">{t('recording.none')}</span>}
        </span>
        <span role="cell" className="cell cell-more">
          {more > 0 && (
            <button
              type="button"
              className="icon-button unfold"
              aria-expanded={open}
              aria-label={t(open ? 'calls.hideLegs' : 'calls.showLegs', { who, n: call.recordings.length })}
              title={t('calls.more', { count: more })}
              onClick={() => toggle(call.call_sid)}
            >
              <span className="digits">{call.recordings.length}</span>
              <Icon name="chevron" />
            </button>
          )}
        </span>
      </div>
      {open &&
        ordered.map((recording, i) => (
          <LegRow key={recording.recording_sid ?? i} call={call} recording={recording} n={i + 1} who={who} />
        ))}
    </>
  )
})

function LegRow({ call, recording, n, who }: { call: Call; recording: Recording; n: number; who: string }) {
  const { t } = useTranslation()
  const { time, clock } = useFormat()
  const name = t('calls.leg', { n })
  return (
    <div role="row" className="row row-leg">
      <span role="cell" className="cell cell-play">
        {isPlayable(recording) && <PlayButton call={call} recordings={[recording]} who={`${who}, ${name}`} />}
      </span>
      <span role="cell" className="cell cell-who">
        {name}
        {recording.call_sid !== call.call_sid && <small>{t('calls.otherLeg')}</small>}
      </span>
      <span role="cell" className="cell cell-direction" />
      <span role="cell" className="cell cell-time">
        {recording.started_at && time(new Date(recording.started_at))}
      </span>
      <span role="cell" className="cell cell-duration digits">
        <span dir="ltr">{clock(recording.duration)}</span>
      </span>
      <span role="cell" className="cell cell-recording">
        <Chip recording={recording} />
      </span>
      <span role="cell" className="cell cell-more" />
    </div>
  )
}
