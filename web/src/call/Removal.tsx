// For admins: legal holds on a recording and its call, and the deletion of either.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type ReactNode, useId, useState } from 'react'
import { deleteCall, deleteRecording, removeHoldById, setHold } from '../api/api'
import { codeOf } from '../api/http'
import type { Call, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'

const REASON_MAX = 200

/** `recording` null: the call has none. */
export function Removal({ call, recording }: { call: Call; recording: Recording | null }) {
  const { t } = useTranslation()
  const sid = recording?.status === 'expired' ? null : (recording?.recording_sid ?? null)
  const refresh = useRefresh(call)
  const hold = recording?.hold ?? call.hold
  return (
    <div className="removal">
      {hold ? (
        <Lift hold={hold} done={refresh} />
      ) : (
        <>
          {sid && <Hold what="recording" sid={sid} done={refresh} />}
          <Hold what="call" sid={call.call_sid} done={refresh} />
        </>
      )}
      {sid && (
        <Sure
          label={t('history.deleteIt')}
          really={t('history.really')}
          now={t('history.deleteNow')}
          act={() => deleteRecording(sid)}
          done={() => {
            announce(t('history.deleted'), { shown: true })
            refresh()
          }}
        />
      )}
      <Sure
        label={t('keeping.deleteCall')}
        really={t('keeping.reallyCall')}
        now={t('history.deleteNow')}
        act={() => deleteCall(call.call_sid)}
        done={() => {
          announce(t('keeping.callDeleted'), { shown: true })
          refresh()
        }}
      />
    </div>
  )
}

function useRefresh(call: Call) {
  const client = useQueryClient()
  return () => {
    for (const queryKey of [['call', call.call_sid], ['calls'], ['audit']]) void client.invalidateQueries({ queryKey })
  }
}

type Held = { what: 'recording' | 'call'; sid: string; done: () => void }

/** A form that asks for the reason. */
function Hold({ what, sid, done }: Held) {
  const { t } = useTranslation(['app', 'errors'])
  const id = useId()
  const [reason, setReason] = useState<string | null>(null)
  const hold = useMutation({
    mutationFn: (text: string) => setHold(what, sid, text),
    onSuccess: () => {
      announce(t('keeping.held'), { shown: true })
      setReason(null)
      done()
    },
    onError: (why) => announce(t(`errors:${codeOf(why)}`), { shown: true }),
  })
  if (reason === null)
    return (
      <button type="button" className="quiet" onClick={() => setReason('')}>
        {t(what === 'call' ? 'keeping.holdCall' : 'keeping.holdRecording')}
      </button>
    )
  return (
    <form
      className="edit-form"
      onSubmit={(event: FormEvent) => {
        event.preventDefault()
        if (reason.trim() && !hold.isPending) hold.mutate(reason.trim())
      }}
    >
      <label htmlFor={id}>{t('keeping.reason')}</label>
      <input
        id={id}
        // biome-ignore lint/a11y/noAutofocus: it stands where the reader just pressed
        autoFocus
        required
        maxLength={REASON_MAX}
        value={reason}
        onChange={(event) => setReason(event.target.value)}
      />
      <button type="submit" className="button primary" disabled={!reason.trim() || hold.isPending}>
        {t('keeping.hold')}
      </button>
      <button type="button" className="quiet" onClick={() => setReason(null)}>
        {t('call.cancel')}
      </button>
    </form>
  )
}

/** A hold on a number keeps other calls too: it is removed where all of them are listed. */
function Lift({ hold, done }: { hold: NonNullable<Call['hold']>; done: () => void }) {
  const { t } = useTranslation()
  if (hold.on === 'number') return <p className="muted">{t('keeping.byNumber')}</p>
  return (
    <Sure
      label={t('keeping.lift')}
      really={t('keeping.reallyLift')}
      now={t('keeping.lift')}
      act={() => removeHoldById(hold.hold_id)}
      done={() => {
        announce(t('keeping.lifted'), { shown: true })
        done()
      }}
    />
  )
}

interface SureProps {
  label: string
  really: ReactNode
  now: string
  act: () => Promise<void>
  done: () => void
}

/** A button that asks for confirmation. */
function Sure({ label, really, now, act, done }: SureProps) {
  const { t } = useTranslation(['app', 'errors'])
  const [asked, setAsked] = useState(false)
  const words = useId()
  const end = useMutation({
    mutationFn: act,
    onSuccess: done,
    onError: (why) => announce(t(`errors:${codeOf(why)}`), { shown: true }),
    onSettled: () => setAsked(false),
  })
  if (!asked)
    return (
      <button type="button" className="quiet" onClick={() => setAsked(true)}>
        {label}
      </button>
    )
  return (
    <p role="group" aria-labelledby={words}>
      <span id={words}>{really}</span>{' '}
      <button
        type="button"
        className="button danger"
        // biome-ignore lint/a11y/noAutofocus: it stands where the reader just pressed
        autoFocus
        disabled={end.isPending}
        onClick={() => end.mutate()}
      >
        {now}
      </button>{' '}
      <button type="button" className="quiet" onClick={() => setAsked(false)}>
        {t('call.cancel')}
      </button>
    </p>
  )
}
