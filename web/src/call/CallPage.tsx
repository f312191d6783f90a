import { useQuery, useQueryClient } from '@tanstack/react-query'
import { type MouseEvent, useEffect, useRef, useState } from 'react'
import { Link, useLocation, useNavigate, useParams, useSearchParams } from 'react-router'
import { getCall } from '../api/api'
import { Problem } from '../api/http'
import type { Call, CallWithLegs } from '../api/types'
import { lastList, useListPath } from '../app/lastList'
import { useTranslation } from '../i18n'
import type { LiveEvent } from '../live/hub'
import { useCatchUp, useLiveEvents, useLiveState } from '../live/live'
import { Meanwhile } from '../live/meanwhile'
import { withRecording } from '../live/merge'
import { usePolling } from '../live/usePolling'
import { secondsIn } from '../player/moment'
import { inOrder, playableOf } from '../player/order'
import { usePlayer } from '../player/PlayerProvider'
import { nameOf, PhoneNumber } from '../recording/Who'
import { useSession } from '../signin/session'
import { Icon } from '../ui/Icon'
import { Notice } from '../ui/Notice'
import { Details } from './Details'
import { EditField } from './EditField'
import { Legs, useLegs } from './Legs'
import { Others } from './Others'
import { RecordingCard } from './RecordingCard'
import { Removal } from './Removal'
import { Tags } from './Tags'
import './call.css'

/** One call: what is known of it, and everything that was recorded. */
export default function CallPage() {
  const { t } = useTranslation(['app', 'errors'])
  const { sid = '' } = useParams()
  const client = useQueryClient()
  const { role } = useSession()
  const key = ['call', sid]
  const [meanwhile] = useState(() => new Meanwhile())
  const {
    data: call,
    error,
    refetch,
  } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => meanwhile.ask(() => getCall(sid, { signal }), withNews),
    staleTime: 0,
  })
  useFresh(sid, call, meanwhile, refetch)
  useMoment(call)
  const others = useLegs(call)
  const parent = others.find((leg) => leg.call_sid === call?.parent_call_sid)
  const named = call && !call.customer_name && !call.caller_name && parent ? parent : call // a leg has its call's name
  const who = (named && nameOf(named)) ?? t('calls.unknown')
  useEffect(() => {
    document.title = `${t('call.title', { who })} · ${t('title')}`
  }, [t, who])

  if (!call) {
    const code = error instanceof Problem ? error.code : null
    const absent = code === 'not_found' || code === 'bad_request'
    return (
      <main id="main" className="page call-page">
        <Back />
        {!error && <p role="status">{t('call.loading')}</p>}
        {error && absent && (
          <Notice title={t('call.notFound')} text={t('call.notFoundText')} icon="search" heading={1} alert />
        )}
        {error && !absent && (
          <Notice title={t('calls.error')} text={t(`errors:${code ?? 'internal'}`)} icon="alert" heading={1} alert>
            <button type="button" className="button" onClick={() => void refetch()}>
              {t('calls.again')}
            </button>
          </Notice>
        )}
      </main>
    )
  }
  const real = inOrder(call.recordings).filter((r) => r.recording_sid !== null)
  const update = (next: CallWithLegs) => client.setQueryData(key, next)
  return (
    <main id="main" className="page call-page">
      <div className="call-top">
        <Back />
        <Beside sid={sid} />
      </div>
      <Head call={call} named={named ?? call} who={who} update={update} />
      <div className="call-columns">
        <div>
          <section aria-labelledby="recordings">
            <h2 id="recordings">{t('call.recordings')}</h2>
            {real.length === 0 && <p className="muted">{t('call.noRecordings')}</p>}
            {real.length === 0 && role === 'admin' && (
              <details className="history">
                <summary>{t('keeping.title')}</summary>
                <Removal call={call} recording={null} />
              </details>
            )}
            {real.map((recording, i) => (
              <RecordingCard
                key={recording.recording_sid}
                call={call}
                recording={recording}
                n={real.length > 1 ? i + 1 : null}
              />
            ))}
          </section>
          <Legs call={call} others={others} />
        </div>
        <aside>
          <Details call={call} update={update} />
          <Others call={call} />
        </aside>
      </div>
    </main>
  )
}

/** Leads back to the list with its filters and its place, if the reader comes from there. */
function Back() {
  const { t } = useTranslation()
  const { state } = useLocation()
  const list = useListPath()
  const navigate = useNavigate()
  function back(event: MouseEvent) {
    if (state?.from !== 'list' || event.ctrlKey || event.metaKey || event.shiftKey) return
    event.preventDefault()
    void navigate(-1)
  }
  return (
    <Link to={list} className="back" onClick={back}>
      <Icon name="start" />
      {t('call.back')}
    </Link>
  )
}

/** The calls before and after this one in the list from which the reader comes. */
function Beside({ sid }: { sid: string }) {
  const { t } = useTranslation()
  const { state } = useLocation()
  const { previous, next } = lastList.beside(sid)
  if (!previous && !next) return null
  const link = (call: Call | null, words: string, icon: string) =>
    call ? (
      <Link
        to={`/calls/${call.call_sid}`}
        replace
        state={state}
        className={`icon-button ${icon}`}
        aria-label={words}
        data-tip={words}
        onClick={() => lastList.open(call.call_sid)}
      >
        <Icon name="start" />
      </Link>
    ) : (
      <span className={`icon-button ${icon} off`} aria-hidden="true">
        <Icon name="start" />
      </span>
    )
  return (
    <nav className="beside" aria-label={t('call.beside')}>
      {link(previous, t('call.previous'), 'beside-previous')}
      {link(next, t('call.next'), 'beside-next')}
    </nav>
  )
}

interface HeadProps {
  call: CallWithLegs
  named: Call // whose name is shown
  who: string
  update: (call: CallWithLegs) => void
}

function Head({ call, named, who, update }: HeadProps) {
  const { t } = useTranslation()
  const session = useSession()
  const edits = session.role !== 'viewer'
  return (
    <div className="call-head">
      <h1>
        {named.customer_name || named.caller_name ? (
          <bdi>{who}</bdi>
        ) : named.customer_number ? (
          <PhoneNumber number={named.customer_number} />
        ) : (
          who
        )}
      </h1>
      {edits && (
        <EditField
          call={call}
          name="customer_name"
          label={t('call.name')}
          add={t('call.addName')}
          update={update}
          bare
        />
      )}
      <p className="call-sub">
        {call.direction && (
          <span className="direction">
            <Icon name={call.direction === 'inbound' ? 'incoming' : 'outgoing'} />
            {t(`calls.${call.direction}`)}
          </span>
        )}
        {call.customer_number && <PhoneNumber number={call.customer_number} />}
        {call.status && <span>{t(`callStatus.${call.status}`, { defaultValue: call.status })}</span>}
        {call.agent && (
          <span>
            {t('calls.agent')}: <bdi>{call.agent}</bdi>
          </span>
        )}
      </p>
      <Tags call={call} edits={edits} update={update} />
    </div>
  )
}

/** A link to a moment, ?t=83: the recording is opened there, and plays when somebody presses. `cued`: the list did so already. */
function useMoment(call: CallWithLegs | undefined) {
  const [params] = useSearchParams()
  const { key, state } = useLocation()
  const { cue } = usePlayer()
  const done = useRef<string | null>(null)
  useEffect(() => {
    const at = secondsIn(params.get('t'))
    if (!call || at === null || done.current === key) return
    done.current = key
    if (state?.cued === true) return
    const all = playableOf(call)
    const recording = all.find((r) => r.recording_sid === params.get('r')) ?? all[0]
    if (recording) cue(call, recording, at)
  }, [call, params, key, state, cue])
}

const withNews = (call: CallWithLegs, event: LiveEvent): CallWithLegs =>
  event.kind === 'recording' && call.recordings.some((r) => r.recording_sid === event.recording.recording_sid)
    ? withRecording(call, event.recording)
    : call

/** Updated by the stream; without it, by asking now and then. */
function useFresh(sid: string, call: CallWithLegs | undefined, meanwhile: Meanwhile, refetch: () => Promise<unknown>) {
  const client = useQueryClient()
  const live = useLiveState()
  const missed = useCatchUp(call !== undefined, refetch)
  useLiveEvents((event) => {
    meanwhile.hear(event)
    if (event.kind === 'reset') return void refetch()
    const call = client.getQueryData<CallWithLegs>(['call', sid]) // what is drawn may be a piece of news behind
    if (!call) return missed()
    if (event.kind === 'recording') {
      const family = [sid, ...call.legs]
      const next = withNews(call, event)
      if (next !== call) client.setQueryData(['call', sid], next)
      else if (event.recording.call_sid && family.includes(event.recording.call_sid)) void refetch()
    } else if (event.kind === 'gone' && event.call_sid === sid) {
      void client.resetQueries({ queryKey: ['call', sid] })
    } else if (event.kind === 'call' && (event.call.call_sid === sid || event.call.parent_call_sid === sid))
      void refetch()
  })
  const coming = call?.recordings.find((r) => r.status === 'queued' || r.status === 'downloading')
  usePolling(live === 'closed', coming ? (coming.retry_after ?? 2) : null, refetch)
}
