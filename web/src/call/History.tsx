// For admins: who listened to a recording and what else was done with it, and its deletion.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { deleteRecording, listAudit } from '../api/api'
import { codeOf } from '../api/http'
import type { Call } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useMakers } from '../settings/makers'
import { announce } from '../ui/Announcer'

export function History({ call, sid, deletable }: { call: Call; sid: string; deletable: boolean }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <details className="history" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('history.title')}</summary>
      {open && <Entries sid={sid} />}
      {open && deletable && <Delete call={call} sid={sid} />}
    </details>
  )
}

function Entries({ sid }: { sid: string }) {
  const { t } = useTranslation(['app', 'errors'])
  const { dateTime } = useFormat()
  const makerOf = useMakers()
  const { data, error, isPending } = useQuery({
    queryKey: ['audit', sid],
    queryFn: ({ signal }) => listAudit(new URLSearchParams({ object: sid }), '', { signal }),
    staleTime: 0,
  })
  if (error)
    return (
      <p className="wrong" role="alert">
        {t(`errors:${codeOf(error)}`)}
      </p>
    )
  if (isPending) return <p role="status">{t('crash.loading')}</p>
  return data.entries.length === 0 ? (
    <p className="muted">{t('history.nothing')}</p>
  ) : (
    <ol>
      {data.entries.map(({ id, at, actor, action }) => (
        <li key={id}>
          <span className="muted digits">{dateTime(new Date(at))}</span>
          <span>
            <bdi>{makerOf(actor)}</bdi>: {t(`audit.did.${action}`, { defaultValue: action })}
          </span>
        </li>
      ))}
    </ol>
  )
}

function Delete({ call, sid }: { call: Call; sid: string }) {
  const { t } = useTranslation(['app', 'errors'])
  const client = useQueryClient()
  const [asked, setAsked] = useState(false)
  const words = useId()
  const end = useMutation({
    mutationFn: () => deleteRecording(sid),
    onSuccess: () => {
      announce(t('history.deleted'), { shown: true })
      for (const queryKey of [['call', call.call_sid], ['calls']]) void client.invalidateQueries({ queryKey })
    },
    onError: (why) => announce(t(`errors:${codeOf(why)}`), { shown: true }),
    onSettled: () => setAsked(false),
  })
  if (!asked)
    return (
      <button type="button" className="quiet" onClick={() => setAsked(true)}>
        {t('history.deleteIt')}
      </button>
    )
  return (
    <p role="group" aria-labelledby={words}>
      <span id={words}>{t('history.really')}</span>{' '}
      <button
        type="button"
        className="button danger"
        // biome-ignore lint/a11y/noAutofocus: it stands where the reader just pressed
        autoFocus
        disabled={end.isPending}
        onClick={() => end.mutate()}
      >
        {t('history.deleteNow')}
      </button>{' '}
      <button type="button" className="quiet" onClick={() => setAsked(false)}>
        {t('call.cancel')}
      </button>
    </p>
  )
}
