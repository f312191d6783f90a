import { useMutation } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { downloadUrl, retry, retryInSpite } from '../api/api'
import { Problem } from '../api/http'
import type { Call, Recording } from '../api/types'
import { Crash } from '../app/Crash'
import { useFile } from '../app/useFile'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { liveReady, useLiveEvents } from '../live/live'
import { PlayButton } from '../player/PlayButton'
import { Chip } from '../recording/Chip'
import { isAbsent, isPlayable } from '../recording/state'
import { nameOf } from '../recording/Who'
import { useSession } from '../signin/session'
import type { Speaker } from '../transcript/speakers'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { later } from '../ui/later'
import { useLimit } from '../ui/useLimit'
import { History } from './History'
import { Keeping } from './Keeping'
import { Notes } from './Notes'
import { ShareDialog } from './ShareDialog'
import { Waveform } from './Waveform'

const TranscriptCard = later(() => import('../transcript/TranscriptCard'))

/** `n`: which of several; null: the only one. */
export function RecordingCard({ call, recording, n }: { call: Call; recording: Recording; n: number | null }) {
  const { t } = useTranslation(['app', 'errors', 'player'])
  const { clock, size, dateTime, time } = useFormat()
  const session = useSession()
  const [sharing, setSharing] = useState(false)
  const [speakers, setSpeakers] = useState<readonly Speaker[]>([])
  const [sure, setSure] = useState(false) // asks whether to fetch it although the provider said that there is nothing
  const limit = useLimit()
  const download = useFile(recording.recording_sid ?? undefined)
  const again = useMutation({
    mutationFn: ({ sid, inSpite }: { sid: string; inSpite: boolean }) => (inSpite ? retryInSpite(sid) : retry(sid)),
    onSuccess: () => {
      setSure(false)
      announce(t('call.retried'), { shown: true })
    },
    onError: (why) => {
      if (!limit.meet(why)) announce(t(`errors:${why instanceof Problem ? why.code : 'internal'}`), { shown: true })
    },
  })
  const sid = recording.recording_sid
  const transcript = useTranscriptAsked(recording, sid)
  if (sid === null) return null
  const who = nameOf(call) ?? t('calls.unknown')
  const name = n === null ? who : `${who}, ${t('calls.leg', { n })}`
  const facts = [
    recording.duration !== null && clock(recording.duration),
    recording.bytes !== null && size(recording.bytes),
    recording.channels !== null && t('call.channels', { count: recording.channels }),
    recording.started_at && dateTime(new Date(recording.started_at)),
  ].filter((fact): fact is string => typeof fact === 'string')
  const absent = isAbsent(recording)
  const mayAgain = session.role !== 'viewer' && (recording.status === 'failed' || recording.status === 'missing')
  const off = again.isPending || limit.until !== null
  return (
    <article className="card" data-recording={sid}>
      {isPlayable(recording) && <PlayButton call={call} recordings={[recording]} who={name} />}
      <div className="card-text">
        <p className="card-title">
          {n !== null && <strong>{t('calls.leg', { n })}</strong>}
          <Chip recording={recording} alone={false} />
        </p>
        <p className="facts">
          {facts.map((fact) => (
            <bdi key={fact}>{fact}</bdi>
          ))}
        </p>
        {recording.error && (
          <p className={recording.status === 'failed' && !absent ? 'wrong' : 'muted'}>
            {t(`errors:${recording.error.code}`)}{' '}
            {!absent && recording.fail_count > 1 && t('call.attempts', { count: recording.fail_count })}
          </p>
        )}
        <Keeping recording={recording} />
        {recording.status === 'expired' && <p className="muted">{t('errors:gone')}</p>}
      </div>
      <div className="card-actions">
        {mayAgain && !absent && (
          <button type="button" className="button" disabled={off} onClick={() => again.mutate({ sid, inSpite: false })}>
            <Icon name="again" />
            {t('call.retry')}
          </button>
        )}
        {mayAgain && absent && !sure && (
          <button type="button" className="quiet" onClick={() => setSure(true)}>
            {t('call.askInSpite')}
          </button>
        )}
        {session.role !== 'viewer' && recording.status !== 'expired' && !absent && (
          <button type="button" className="button" onClick={() => setSharing(true)}>
            <Icon name="share" />
            {t('call.share')}
          </button>
        )}
        {recording.status === 'ready' && (
          <a
            className="button"
            href={downloadUrl(sid, recording.started_at ?? call.started_at)}
            download
            onClick={download}
          >
            <Icon name="download" />
            {t('player:download')}
          </a>
        )}
      </div>
      {recording.status === 'ready' && (
        <Crash fallback={() => null}>
          <Waveform call={call} recording={recording} name={name} speakers={speakers} />
        </Crash>
      )}
      {limit.until && (
        <p className="card-line wrong" role="status">
          {t('call.againAt', { when: time(limit.until) })}
        </p>
      )}
      {sure && (
        <p className="card-line" role="group" aria-label={t('call.askInSpite')}>
          {t('call.reallyInSpite')}{' '}
          <button type="button" className="button" disabled={off} onClick={() => again.mutate({ sid, inSpite: true })}>
            {t('call.askInSpite')}
          </button>{' '}
          <button type="button" className="quiet" onClick={() => setSure(false)}>
            {t('call.cancel')}
          </button>
        </p>
      )}
      {recording.status === 'ready' &&
        transcript.isTime &&
        (transcript.asked || session.business?.transcribes === true) && (
          <Crash fallback={() => null}>
            <TranscriptCard
              call={call}
              recording={recording}
              sid={sid}
              asked={transcript.asked}
              onAsked={transcript.ask}
              onSpeakers={setSpeakers}
            />
          </Crash>
        )}
      {recording.status !== 'expired' && !absent && <Notes call={call} recording={recording} />}
      {session.role === 'admin' && <History call={call} recording={recording} sid={sid} />}
      {sharing && <ShareDialog call={call} recording={recording} close={() => setSharing(false)} />}
    </article>
  )
}

const STREAM_PATIENCE_MS = 1000

/** `asked`: there is a transcript, or one is being made, or it failed; otherwise the server has nothing to answer. `ask`: call it
 *  after a transcript was requested. `isTime`: the stream is open, so the transcript may be read. A read before that would be
 *  repeated, and each read is an entry of the audit. */
function useTranscriptAsked(recording: Recording, sid: string | null) {
  const [told, setTold] = useState(false)
  const [isTime, setIsTime] = useState(false)
  useEffect(() => {
    let over = false
    void liveReady(STREAM_PATIENCE_MS).then(() => over || setIsTime(true))
    return () => {
      over = true
    }
  }, [])
  useLiveEvents((event) => {
    if (event.kind === 'transcript' && event.transcript.recording_sid === sid) setTold(true)
  })
  return { isTime, asked: told || recording.transcript_asked === true, ask: () => setTold(true) }
}
