// For admins: the audit's entries on a recording (plays, edits), its legal hold and its deletion.
import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import { listAudit } from '../api/api'
import type { Call, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useMakers } from '../settings/makers'
import { Wrong } from '../ui/Wrong'
import { Removal } from './Removal'

export function History({ call, recording, sid }: { call: Call; recording: Recording; sid: string }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <details className="history" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t('history.title')}</summary>
      {open && (
        <Entries sid={sid}>
          <Removal call={call} recording={recording} />
        </Entries>
      )}
    </details>
  )
}

/** `children` stand below, once it is known how far: a button that deletes must not move under the pointer. */
function Entries({ sid, children }: { sid: string; children: ReactNode }) {
  const { t } = useTranslation()
  const { dateTime } = useFormat()
  const makerOf = useMakers()
  const { data, error, isPending } = useQuery({
    queryKey: ['audit', sid],
    queryFn: ({ signal }) => listAudit(new URLSearchParams({ object: sid }), '', { signal }),
    staleTime: 0,
  })
  if (isPending) return <p role="status">{t('crash.loading')}</p>
  const entries = data?.entries ?? []
  return (
    <>
      <Wrong why={error} />
      {data && entries.length === 0 && <p className="muted">{t('history.nothing')}</p>}
      {entries.length > 0 && (
        <ol>
          {entries.map(({ id, at, actor, action }) => (
            <li key={id}>
              <span className="muted digits">{dateTime(new Date(at))}</span>
              <span>
                <bdi>{makerOf(actor)}</bdi>: {t(`audit.did.${action}`, { defaultValue: action })}
              </span>
            </li>
          ))}
        </ol>
      )}
      {children}
    </>
  )
}
