// The transcript of a recording, to read, to hear from any word on, to search, to correct. Here: whether there is one, and its state.
import { useEffect, useMemo, useState } from 'react'
import type { Call, Recording, Transcript } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useSession } from '../signin/session'
import { Icon } from '../ui/Icon'
import { Wrong } from '../ui/Wrong'
import { TranscriptIcon } from './icons'
import { Reader } from './Reader'
import { type Speaker, speakersOf } from './speakers'
import { isComing, useTranscribing, useTranscript } from './useTranscript'
import './transcript.css'

interface Props {
  call: Call
  recording: Recording
  sid: string
  /** Somebody has asked for a transcript, so there is something to read. */
  asked: boolean
  onAsked: () => void
  /** Called with the role on each channel, according to the transcript. */
  onSpeakers: (speakers: readonly Speaker[]) => void
}

export default function TranscriptCard({ call, recording, sid, asked, onAsked, onSpeakers }: Props) {
  const { t } = useTranslation('transcript')
  const [version, setVersion] = useState<number | null>(null)
  const newest = useTranscript(sid, asked)
  const older = useTranscript(sid, asked, version)
  const kept = version === null ? newest.data : older.data
  const transcript = kept?.transcript
  const speakers = useMemo(() => speakersOf(transcript?.segments ?? []), [transcript?.segments])
  useEffect(() => onSpeakers(speakers), [speakers, onSpeakers])
  const session = useSession()
  const edits = session.role !== 'viewer'
  const asks = edits && session.business?.transcribes === true
  const failed = newest.error ?? older.error
  const isNone = !asked || newest.data === null
  if (isNone ? !asks : newest.isPending) return null
  return (
    <section className="transcript" aria-label={t('title')}>
      <h3>{t('title')}</h3>
      <Wrong why={failed} />
      {isNone && <Ask sid={sid} onAsked={onAsked} />}
      {newest.data && <State transcript={newest.data.transcript} sid={sid} asks={asks} />}
      {kept && transcript && transcript.segments.length + transcript.gaps.length > 0 && (
        <Reader
          call={call}
          recording={recording}
          kept={kept}
          newest={newest.data ?? kept}
          speakers={speakers}
          edits={edits}
          asks={asks}
          show={setVersion}
        />
      )}
    </section>
  )
}

/** The state of the transcript in words, if there is something to say. */
function State({ transcript, sid, asks }: { transcript: Transcript; sid: string; asks: boolean }) {
  const { t } = useTranslation('transcript')
  const { percent } = useFormat()
  const { status, progress, error, segments, gaps, version } = transcript
  const code = error?.code ?? 'engine_error'
  const reason = t(`errors.${code}`, { defaultValue: t('errors.engine_error') })
  if (isComing(status)) {
    const share = progress.total ? progress.done / progress.total : 0
    return (
      <div className="transcript-coming" role="status">
        <p>{status === 'queued' ? t('queued') : t('running', { percent: percent(share) })}</p>
        {error && <p className="muted">{reason}</p>}
        <progress
          aria-label={t('progress')}
          value={progress.total ? progress.done : undefined}
          max={progress.total ?? 1}
        />
      </div>
    )
  }
  if (status === 'failed') {
    return (
      <div className="transcript-ask">
        <p className={code === 'no_speech' ? 'muted' : 'wrong'}>{reason}</p>
        {asks && <Ask sid={sid} again />}
      </div>
    )
  }
  if (segments.length + gaps.length === 0 && version !== null) return <p className="muted">{t('errors.no_speech')}</p>
  return null
}

/** A button that requests a transcript. `again`: an earlier try failed. */
export function Ask({ sid, again = false, onAsked }: { sid: string; again?: boolean; onAsked?: () => void }) {
  const { t } = useTranslation('transcript')
  const asking = useTranscribing(sid)
  return (
    <div className="transcript-ask">
      <button
        type="button"
        className="button"
        disabled={asking.isPending}
        onClick={() => asking.mutate(again, { onSuccess: onAsked })}
      >
        {again ? <Icon name="again" /> : <TranscriptIcon name="words" />}
        {t(again ? 'transcribeAgain' : 'transcribe')}
      </button>
      <Wrong why={asking.error} />
    </div>
  )
}
