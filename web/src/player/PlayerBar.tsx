// The player at the foot of the page. Time runs from left to right in every language.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { downloadUrl, getStatus, retry } from '../api/api'
import { Problem } from '../api/http'
import type { Recording } from '../api/types'
import { useFormat } from '../i18n/useFormat'
import { useLiveState } from '../live/live'
import { usePolling } from '../live/usePolling'
import { nameOf, Who } from '../recording/Who'
import { useSession } from '../signin/session'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import { speeds } from './engine'
import { type Opened, statusKey, usePlayer, usePlayerState } from './PlayerProvider'
import { SeekBar } from './SeekBar'
import './player.css'

export default function PlayerBar({ opened }: { opened: Opened }) {
  const { t } = useTranslation('player')
  const { t: app } = useTranslation('app')
  const { engine, close } = usePlayer()
  const { phase, rate, volume, muted, time, duration } = usePlayerState()
  const { clock } = useFormat()
  const live = useLiveState()
  const { call, sid } = opened
  const { data: recording, refetch } = useQuery({
    queryKey: statusKey(sid),
    queryFn: ({ signal }) => getStatus(sid, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  const coming = recording?.status === 'queued' || recording?.status === 'downloading'
  usePolling(live === 'closed' && phase !== 'waiting', coming ? (recording.retry_after ?? 2) : null, refetch)
  useEffect(() => engine.learn(recording?.duration ?? null), [engine, recording?.duration])
  const on = phase !== 'paused' && phase !== 'ended' && phase !== 'failed'

  useEffect(() => {
    document.documentElement.classList.add('with-player')
    return () => document.documentElement.classList.remove('with-player')
  }, [])

  return (
    <section className="player" aria-label={t('player')}>
      <div className="player-controls" dir="ltr">
        <button
          type="button"
          className="icon-button"
          aria-label={t('back')}
          title={t('back')}
          onClick={() => engine.skip(-10)}
        >
          <Icon name="back" />
        </button>
        <button
          type="button"
          className="play play-big"
          aria-label={on ? t('pause') : t('play')}
          onClick={() => engine.toggle()}
        >
          <Icon name={on ? 'pause' : 'play'} />
        </button>
        <button
          type="button"
          className="icon-button"
          aria-label={t('forward')}
          title={t('forward')}
          onClick={() => engine.skip(10)}
        >
          <Icon name="forward" />
        </button>
      </div>
      <div className="player-what">
        <Link to={`/calls/${call.call_sid}`} className="player-who">
          <Who call={call} />
        </Link>
        <Telling recording={recording} call={nameOf(call) ?? app('calls.unknown')} />
      </div>
      <div className="player-time" dir="ltr">
        <span className="digits">{clock(time)}</span>
        <SeekBar recording={recording} />
        <span className="digits">{clock(duration)}</span>
      </div>
      <div className="player-more">
        <label className="speed">
          <span className="unseen">{t('speed')}</span>
          <select value={rate} onChange={(event) => engine.setRate(Number(event.target.value))}>
            {speeds.map((speed) => (
              <option key={speed} value={speed}>
                {t('speedOf', { rate: speed })}
              </option>
            ))}
          </select>
        </label>
        <span className="volume" dir="ltr">
          <button
            type="button"
            className="icon-button"
            aria-label={muted ? t('unmute') : t('mute')}
            onClick={() => engine.toggleMuted()}
          >
            <Icon name={muted || volume === 0 ? 'muted' : 'volume'} />
          </button>
          <input
            type="range"
            min="0"
            max="1"
            step="0.05"
            value={muted ? 0 : volume}
            aria-label={t('volume')}
            onChange={(event) => engine.setVolume(Number(event.target.value))}
          />
        </span>
        <a className="icon-button" href={downloadUrl(sid)} download aria-label={t('download')} title={t('download')}>
          <Icon name="download" />
        </a>
        <button type="button" className="icon-button" aria-label={t('close')} title={t('close')} onClick={close}>
          <Icon name="close" />
        </button>
      </div>
    </section>
  )
}

/** How it stands, in words, and what can be done. */
function Telling({ recording, call }: { recording: Recording | undefined; call: string }) {
  const { t } = useTranslation(['player', 'errors'])
  const { engine } = usePlayer()
  const { phase, trouble } = usePlayerState()
  const { percent, until } = useFormat()
  const session = useSession()
  const client = useQueryClient()
  const again = useMutation({
    mutationFn: retry,
    onSuccess: (status) => {
      if (status.recording_sid) client.setQueryData(statusKey(status.recording_sid), status)
      engine.again()
    },
    onError: (why) => announce(t(`errors:${why instanceof Problem ? why.code : 'internal'}`), { shown: true }),
  })
  const { bytes, total } = recording?.progress ?? { bytes: 0, total: null }
  const arriving =
    recording?.status === 'downloading' &&
    (total ? t('arriving', { percent: percent(bytes / total) }) : t('arrivingSome'))

  if (phase === 'failed' && trouble) {
    const failed = recording?.status === 'failed'
    const stopped = trouble.code === 'not_ready'
    const mayRetry = failed && session.role !== 'viewer'
    const retryAt = recording?.next_retry_at ?? trouble.retryAt
    return (
      <p className="player-trouble" role="status">
        {stopped ? t('stillWaiting') : t(`errors:${trouble.code}`)}{' '}
        {failed && retryAt && t('retryAt', { when: until(new Date(retryAt)) })}
        {trouble.code !== 'gone' && (
          <button
            type="button"
            className="quiet"
            disabled={again.isPending}
            aria-label={`${mayRetry ? t('tryAgain') : t('askAgain')}: ${call}`}
            onClick={() =>
              mayRetry && recording.recording_sid ? again.mutate(recording.recording_sid) : engine.again()
            }
          >
            {mayRetry ? t('tryAgain') : t('askAgain')}
          </button>
        )}
      </p>
    )
  }
  const words =
    phase === 'waiting'
      ? t('waiting')
      : phase === 'starting'
        ? t('starting')
        : phase === 'buffering'
          ? t('buffering')
          : arriving || ''
  return (
    <p className="player-telling" role="status">
      {words}
    </p>
  )
}
