import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { downloadUrl, retry } from '../api/api'
import { Problem } from '../api/http'
import type { Call, Recording } from '../api/types'
import { useFormat } from '../i18n/useFormat'
import { PlayButton } from '../player/PlayButton'
import { Chip } from '../recording/Chip'
import { isPlayable } from '../recording/state'
import { nameOf } from '../recording/Who'
import { useSession } from '../signin/session'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { ShareDialog } from './ShareDialog'

/** `n`: which of several; null: the only one. */
export function RecordingCard({ call, recording, n }: { call: Call; recording: Recording; n: number | null }) {
  const { t } = useTranslation(['app', 'errors', 'player'])
  const { clock, size, dateTime } = useFormat()
  const session = useSession()
  const [sharing, setSharing] = useState(false)
  const again = useMutation({
    mutationFn: retry,
    onSuccess: () => announce(t('call.retried'), { shown: true }),
    onError: (why) => announce(t(`errors:${why instanceof Problem ? why.code : 'internal'}`), { shown: true }),
  })
  const sid = recording.recording_sid
  if (sid === null) return null
  const who = nameOf(call) ?? t('calls.unknown')
  const name = n === null ? who : `${who}, ${t('calls.leg', { n })}`
  const facts = [
    recording.duration !== null && clock(recording.duration),
    recording.bytes !== null && size(recording.bytes),
    recording.channels !== null && t('call.channels', { count: recording.channels }),
    recording.started_at && dateTime(new Date(recording.started_at)),
  ].filter((fact): fact is string => typeof fact === 'string')
  const mayAgain = session.role !== 'viewer' && (recording.status === 'failed' || recording.status === 'missing')
  return (
    <article className="card" data-recording={sid}>
      {isPlayable(recording) && <PlayButton call={call} recordings={[recording]} who={name} />}
      <div className="card-text">
        <p className="card-title">
          {n !== null && <strong>{t('calls.leg', { n })}</strong>}
          <Chip recording={recording} />
        </p>
        <p className="facts">
          {facts.map((fact) => (
            <bdi key={fact}>{fact}</bdi>
          ))}
        </p>
        {recording.error && (
          <p className={recording.status === 'failed' ? 'wrong' : 'muted'}>
            {t(`errors:${recording.error.code}`)}{' '}
            {recording.fail_count > 1 && t('call.attempts', { count: recording.fail_count })}
          </p>
        )}
        {recording.status === 'expired' && <p className="muted">{t('errors:gone')}</p>}
      </div>
      <div className="card-actions">
        {mayAgain && (
          <button type="button" className="button" disabled={again.isPending} onClick={() => again.mutate(sid)}>
            <Icon name="again" />
            {t('call.retry')}
          </button>
        )}
        {session.role !== 'viewer' && recording.status !== 'expired' && (
          <button type="button" className="button" onClick={() => setSharing(true)}>
            <Icon name="share" />
            {t('call.share')}
          </button>
        )}
        {recording.status === 'ready' && (
          <a className="button" href={downloadUrl(sid)} download>
            <Icon name="download" />
            {t('player:download')}
          </a>
        )}
      </div>
      {sharing && <ShareDialog call={call} recording={recording} close={() => setSharing(false)} />}
    </article>
  )
}
