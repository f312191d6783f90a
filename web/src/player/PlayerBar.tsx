// The player at the foot of the page: face.ts, the other party of the call, and the state of the recording in words.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import { Link } from 'react-router'
import { downloadUrl, getStatus, retry } from '../api/api'
import { Problem } from '../api/http'
import type { CallWithLegs, Recording } from '../api/types'
import { useFile } from '../app/useFile'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useCatchUp, useLiveEvents, useLiveState } from '../live/live'
import { usePolling } from '../live/usePolling'
import { nameOf, Who } from '../recording/Who'
import { useSession } from '../signin/session'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import type { Engine } from './engine'
import { Face, type FaceOptions } from './face'
import { playableOf } from './order'
import { type Opened, statusKey, usePlayer, usePlayerState } from './PlayerProvider'
import { useMarks, usePeaks } from './useDrawn'
import './face.css'
import './player.css'

export default function PlayerBar({ opened }: { opened: Opened }) {
  const { t } = useTranslation('player')
  const { t: app } = useTranslation('app')
  const { engine, close, step, help } = usePlayer()
  const { phase } = usePlayerState()
  const live = useLiveState()
  const { sid } = opened
  // As it was opened, or as it was told or edited since.
  const { data: edited } = useQuery<CallWithLegs>({ queryKey: ['call', opened.call.call_sid], enabled: false })
  const call = edited ?? opened.call
  const { data: recording, refetch } = useQuery({
    queryKey: statusKey(sid),
    queryFn: ({ signal }) => getStatus(sid, { signal }),
    staleTime: Number.POSITIVE_INFINITY,
  })
  useCatchUp(recording !== undefined, refetch)
  useLiveEvents((event) => {
    if (event.kind === 'reset') void refetch()
  })
  const coming = recording?.status === 'queued' || recording?.status === 'downloading'
  usePolling(live === 'closed' && phase !== 'waiting', coming ? (recording.retry_after ?? 2) : null, refetch)
  useEffect(() => engine.learn(recording?.duration ?? null), [engine, recording?.duration])

  const several = playableOf(opened.call).length > 1
  const link = `calls/${opened.call.call_sid}?${several ? `r=${sid}&` : ''}t=`
  const latest = useRef(link)
  latest.current = link
  const options = useMemo<FaceOptions>(
    () => ({
      list: { next: () => step(1), previous: () => step(-1) },
      volume: true,
      treats: true,
      link: (at) => copy(new URL(latest.current + Math.floor(at), document.baseURI).href),
      help,
    }),
    [step, help],
  )
  const face = useFace(engine, options)
  useWaveform(face, engine, recording, call.direction)
  useMarks(face?.seekBar, engine, sid)
  useEffect(() => {
    const { bytes, total } = recording?.progress ?? { bytes: 0, total: null }
    face?.seekBar.arrived(recording?.status === 'downloading' && total ? bytes / total : 0)
  }, [face, recording])

  const download = useFile(sid)
  const bar = useRef<HTMLElement>(null)
  useRoomBelow(bar)
  const part = several ? playableOf(opened.call).findIndex((r) => r.recording_sid === sid) + 1 : 0
  return (
    <section className="player" aria-label={t('player')} ref={bar}>
      <Part node={face?.transport} />
      <div className="player-what">
        <Link to={`/calls/${call.call_sid}`} className="player-who">
          <Who call={call} />
        </Link>
        {part > 0 && <span className="player-part">{app('calls.leg', { n: part })}</span>}
        <Telling recording={recording} call={nameOf(call) ?? app('calls.unknown')} />
      </div>
      <div className="player-more">
        <Part node={face?.tools} />
        {recording?.status === 'ready' && (
          <a
            className="cr-button"
            href={downloadUrl(sid, recording.started_at ?? call.started_at)}
            download
            onClick={download}
            aria-label={t('download')}
            title={t('download')}
          >
            <Icon name="download" />
          </a>
        )}
      </div>
      <button
        type="button"
        className="cr-button player-close"
        aria-label={t('close')}
        title={t('close')}
        onClick={close}
      >
        <Icon name="close" />
      </button>
      <Part node={face?.line} />
    </section>
  )
}

/** A part of the face, where React wants it. */
function Part({ node }: { node: HTMLElement | undefined }) {
  const place = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (node) place.current?.replaceChildren(node)
  }, [node])
  return <div className={`player-part-of ${node?.className ?? ''}-place`} ref={place} />
}

function useFace(engine: Engine, options: FaceOptions): Face | null {
  const { t } = useTranslation('player')
  const [face, setFace] = useState<Face | null>(null)
  useLayoutEffect(() => {
    const made = new Face(engine, (key, values) => t(key, values ?? {}), options)
    setFace(made)
    return () => made.destroy()
  }, [engine, options, t])
  return face
}

/** The peaks of a ready recording: they are drawn, and show silence and loudness. */
function useWaveform(face: Face | null, engine: Engine, recording: Recording | undefined, direction: string | null) {
  const peaks = usePeaks(recording) ?? null
  useEffect(() => {
    face?.show(peaks, direction)
    engine.hear(peaks, direction)
  }, [face, engine, peaks, direction])
}

/** The page ends above the player, however high it is. */
function useRoomBelow(bar: React.RefObject<HTMLElement | null>) {
  useLayoutEffect(() => {
    const root = document.documentElement
    root.classList.add('with-player')
    const size = new ResizeObserver(() =>
      root.style.setProperty('--player-height', `${bar.current?.offsetHeight ?? 0}px`),
    )
    if (bar.current) size.observe(bar.current)
    return () => {
      size.disconnect()
      root.classList.remove('with-player')
    }
  }, [bar])
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false // over plain HTTP from elsewhere
  }
}

/** The state of the recording in words, and what the reader can do. */
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
