// The places in a call of the list where the words of a search were said. A press plays from there, on the call's page.
import { Link } from 'react-router'
import type { Call, Match } from '../api/types'
import { lastList } from '../app/lastList'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { usePlayer } from '../player/PlayerProvider'
import { Icon } from '../ui/Icon'
import { markedParts } from './find'
import { useSpeakerName } from './speakerName'
import './matches.css'

const BEFORE_S = 1 // one hears how the sentence begins

export default function Matches({ call, matches }: { call: Call; matches: readonly Match[] }) {
  return (
    <div role="row" className="matches">
      <div role="cell">
        {matches.map((match) => (
          <OneMatch key={`${match.recording_sid} ${match.start}`} call={call} match={match} />
        ))}
      </div>
    </div>
  )
}

function OneMatch({ call, match }: { call: Call; match: Match }) {
  const { t } = useTranslation('transcript')
  const { clock } = useFormat()
  const { engine, cue } = usePlayer()
  const nameOf = useSpeakerName()
  const { recording_sid: sid, start, speaker, text, at } = match
  const from = Math.max(0, start - BEFORE_S)
  const recording = call.recordings.find((r) => r.recording_sid === sid)
  const parts = markedParts(text, at)
  const find = parts.find(({ marked }) => marked)?.text
  function play(event: React.MouseEvent) {
    if (!recording || event.ctrlKey || event.metaKey || event.shiftKey) return
    lastList.open(call.call_sid)
    cue(call, recording, from)
    engine.play()
  }
  return (
    <Link
      to={`/calls/${call.call_sid}?r=${sid}&t=${from.toFixed(1)}`}
      state={{ from: 'list', cued: true, find }}
      className="match"
      onClick={play}
    >
      <Icon name="play" />
      <span className="digits" dir="ltr">
        {clock(start)}
      </span>
      <span className="unseen">{t('playFrom', { time: clock(start) })}</span>
      {speaker !== null && <bdi className="match-who">{nameOf(speaker)}</bdi>}
      <span dir="auto" className="match-text">
        {parts.map((part, i) => (part.marked ? <mark key={i}>{part.text}</mark> : part.text))}
      </span>
    </Link>
  )
}
