import { memo, type ReactNode } from 'react'
import { Link } from 'react-router'
import type { Call, Recording } from '../api/types'
import { lastList } from '../app/lastList'
import { useTranslation, withAllWords } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { inOrder, playableOf } from '../player/order'
import { PlayButton } from '../player/PlayButton'
import { Chip } from '../recording/Chip'
import { isPlayable } from '../recording/state'
import { nameOf, Party, Who } from '../recording/Who'
import { Icon } from '../ui/Icon'
import { later } from '../ui/later'
import type { Column } from './columns'
import type { Chosen } from './useChosen'

const Matches = later(withAllWords(() => import('../transcript/Matches')))
export const FROM_LIST = { from: 'list' }

interface Props {
  call: Call
  index: number
  open: boolean
  columns: readonly Column[]
  sorted: boolean // ordered by something other than time: no heading above shows the day
  toggle: (sid: string) => void
  chosen: boolean | null // null: no calls are being chosen
  choose: Chosen['choose']
}

/** One call, its legs folded: its recordings are played in order of time, and the first that can be heard stands for all. */
export const CallRow = memo(function CallRow(props: Props) {
  const { call, index, open, columns, sorted, toggle, chosen, choose } = props
  const { t } = useTranslation()
  const who = nameOf(call) ?? t('calls.unknown')
  const ordered = inOrder(call.recordings)
  const playable = playableOf(call)
  const more = call.recordings.length - 1
  return (
    <>
      <div role="row" aria-rowindex={index} className="row" data-call={call.call_sid}>
        {chosen !== null && (
          <span role="cell" className="cell cell-choose">
            <label>
              <input
                type="checkbox"
                checked={chosen}
                aria-label={t('calls.chooseOne', { who })}
                onChange={({ target, nativeEvent }) =>
                  choose(call.call_sid, target.checked, nativeEvent instanceof MouseEvent && nativeEvent.shiftKey)
                }
              />
            </label>
          </span>
        )}
        <span role="cell" className="cell cell-play">
          {playable.length > 0 && <PlayButton call={call} recordings={playable} who={who} />}
        </span>
        <span role="cell" className="cell cell-who">
          <Link
            to={`/calls/${call.call_sid}`}
            className="row-link"
            state={FROM_LIST}
            onClick={() => lastList.open(call.call_sid)}
          >
            <Who call={call} />
          </Link>
        </span>
        {columns.map((column) => (
          <span role="cell" className={`cell cell-${column}`} key={column}>
            <Value column={column} call={call} shown={playable[0] ?? ordered[0]} withDate={sorted} />
          </span>
        ))}
        <span role="cell" className="cell cell-more">
          {more > 0 && (
            <button
              type="button"
              className="icon-button unfold"
              aria-expanded={open}
              aria-label={t(open ? 'calls.hideLegs' : 'calls.showLegs', { who, n: call.recordings.length })}
              data-tip={t('calls.more', { count: more })}
              onClick={() => toggle(call.call_sid)}
            >
              <span className="digits">{call.recordings.length}</span>
              <Icon name="chevron" />
            </button>
          )}
        </span>
      </div>
      {call.matches && call.matches.length > 0 && <Matches call={call} matches={call.matches} />}
      {open &&
        ordered.map((recording, i) => (
          <LegRow
            key={recording.recording_sid ?? i}
            call={call}
            recording={recording}
            n={i + 1}
            who={who}
            columns={columns}
            choosing={chosen !== null}
          />
        ))}
    </>
  )
})

interface ValueProps {
  column: Column
  call: Call
  shown: Recording | undefined
  withDate: boolean
}

function Value({ column, call, shown, withDate }: ValueProps): ReactNode {
  const { t } = useTranslation()
  const { time, date, clock, dateTime } = useFormat()
  switch (column) {
    case 'direction':
      return (
        call.direction && (
          <span className="direction">
            <Icon name={call.direction === 'inbound' ? 'incoming' : 'outgoing'} />
            <span>{t(`calls.${call.direction}`)}</span>
          </span>
        )
      )
    case 'agent':
      return call.agent && <bdi>{call.agent}</bdi>
    case 'own':
      return call.own_number && <Party text={call.own_number} />
    case 'time': {
      const at = call.started_at ? new Date(call.started_at) : null
      return (
        at && (
          <time dateTime={call.started_at ?? undefined} title={dateTime(at)}>
            {time(at)}
            {withDate && <small>{date(at)}</small>}
          </time>
        )
      )
    }
    case 'duration':
      return call.status && call.status !== 'completed' ? (
        <span className="outcome">{t(`callStatus.${call.status}`, { defaultValue: call.status })}</span>
      ) : (
        <span dir="ltr">{clock(call.duration)}</span>
      )
    case 'tags':
      return call.tags.map((tag) => (
        <bdi key={tag} className="tag">
          {tag}
        </bdi>
      ))
    case 'recording':
      return shown ? <Chip recording={shown} /> : <span className="chip chip-none">{t('recording.none')}</span>
  }
}

interface LegProps {
  call: Call
  recording: Recording
  n: number
  who: string
  columns: readonly Column[]
  choosing: boolean
}

function LegRow({ call, recording, n, who, columns, choosing }: LegProps) {
  const { t } = useTranslation()
  const { time, clock } = useFormat()
  const name = t('calls.leg', { n })
  const values: Partial<Record<Column, ReactNode>> = {
    time: recording.started_at && time(new Date(recording.started_at)),
    duration: <span dir="ltr">{clock(recording.duration)}</span>,
    recording: <Chip recording={recording} />,
  }
  return (
    <div role="row" className="row row-leg">
      {choosing && <span role="cell" className="cell cell-choose" />}
      <span role="cell" className="cell cell-play">
        {isPlayable(recording) && <PlayButton call={call} recordings={[recording]} who={`${who}, ${name}`} />}
      </span>
      <span role="cell" className="cell cell-who">
        {name}
        {recording.call_sid !== call.call_sid && <small>{t('calls.otherLeg')}</small>}
      </span>
      {columns.map((column) => (
        <span role="cell" className={`cell cell-${column}`} key={column}>
          {values[column]}
        </span>
      ))}
      <span role="cell" className="cell cell-more" />
    </div>
  )
}
