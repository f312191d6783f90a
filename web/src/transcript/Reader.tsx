// A transcript that is here: the speakers and their shares, the search, the lines, and its origin.
import { useEffect, useMemo, useRef, useState } from 'react'
import { useLocation } from 'react-router'
import { codeOf } from '../api/http'
import type { Call, Recording, TranscriptSegment } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { usePlayer } from '../player/PlayerProvider'
import { findAll, foldLines } from './find'
import { HeardNow } from './heard'
import { Lines, type LinesHandle } from './Lines'
import { linesOf } from './lines'
import { Origin } from './Origin'
import type { Kept } from './requests'
import { Search } from './Search'
import { useSpeakerName } from './speakerName'
import { type Speaker, swapOf } from './speakers'
import { Talk } from './Talk'
import { Tools } from './Tools'
import { useCorrection } from './useTranscript'

interface Props {
  call: Call
  recording: Recording
  kept: Kept // what is shown
  newest: Kept
  speakers: readonly Speaker[]
  edits: boolean
  asks: boolean
  show: (version: number | null) => void
}

export function Reader({ call, recording, kept, newest, speakers, edits, asks, show }: Props) {
  const { t } = useTranslation(['transcript', 'errors'])
  const { clock } = useFormat()
  const { engine, cue } = usePlayer()
  const { transcript } = kept
  const sid = recording.recording_sid ?? ''
  const isNewest = transcript.version === newest.transcript.version
  const lines = useMemo(() => linesOf(transcript), [transcript])
  const folded = useMemo(() => foldLines(lines), [lines])
  const heard = useMemo(() => new HeardNow(engine, sid, lines), [engine, sid, lines])
  useEffect(() => heard.follow(), [heard])

  const { state } = useLocation()
  const [query, setQuery] = useState<string>(typeof state?.find === 'string' ? state.find : '')
  const found = useMemo(() => findAll(folded, query), [folded, query])
  const [chosen, setChosen] = useState(0)
  const list = useRef<LinesHandle>(null)
  const choose = (n: number) => {
    if (found.length === 0) return
    const at = (n + found.length) % found.length
    setChosen(at)
    list.current?.show(found[at]?.line ?? 0)
  }

  const correction = useCorrection(sid, newest.etag)
  const speakerName = useSpeakerName()
  const rename = (names: Record<string, string>) =>
    correction.mutate({ segments: transcript.segments, speakers: names })
  const replace = (at: number, segment: TranscriptSegment) =>
    correction.mutateAsync({
      segments: transcript.segments.map((one, i) => (i === at ? segment : one)).filter(({ text }) => text !== ''),
    })

  function seek(at: number) {
    if (engine.state.track?.key === sid) engine.seek(at)
    else cue(call, recording, at)
    engine.play()
  }
  const [first, second] = speakers
  const corrects = edits && isNewest
  const may = corrects && !correction.isPending
  return (
    <>
      <Talk talk={transcript.talk} speakers={speakers} duration={transcript.duration} rename={may ? rename : null} />
      <div className="transcript-bar">
        <Search
          query={query}
          found={found.length}
          chosen={chosen}
          change={(text) => {
            setQuery(text)
            setChosen(0)
            const [at] = findAll(folded, text)
            if (at) list.current?.show(at.line)
          }}
          choose={choose}
        />
        <Tools
          sid={sid}
          lines={lines}
          version={isNewest ? null : transcript.version}
          swap={may && first && second && speakers.length === 2 ? () => rename(swapOf(first.name, second.name)) : null}
          again={asks}
        />
      </div>
      {correction.error && (
        <p className="wrong" role="alert">
          {codeOf(correction.error) === 'precondition_failed'
            ? t('changedMeanwhile')
            : t(`errors:${codeOf(correction.error)}`)}
        </p>
      )}
      <Lines
        ref={list}
        lines={lines}
        speakers={speakers}
        heard={heard}
        found={found}
        chosen={chosen}
        seek={seek}
        replace={corrects ? replace : null}
        label={t('linesOf', { time: clock(transcript.duration) })}
        nameOf={speakerName}
      />
      <Origin
        transcript={transcript}
        newest={newest.transcript.version ?? 1}
        show={show}
        restore={
          edits && !isNewest
            ? () => correction.mutate({ segments: transcript.segments }, { onSuccess: () => show(null) })
            : null
        }
      />
    </>
  )
}
