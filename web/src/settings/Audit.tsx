// The audit of the business: its entries by kind of act or by object, also as a file.
import { useInfiniteQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Link } from 'react-router'
import { auditCsvUrl, listAudit } from '../api/api'
import type { AuditAction } from '../api/types'
import { useFile } from '../app/useFile'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { MoreRows } from '../ui/MoreRows'
import { Wrong } from '../ui/Wrong'
import { useMakers } from './makers'

// Of openapi's AuditAction: a test compares them.
export const actions: AuditAction[] = [
  'play',
  'download',
  'list_export',
  'transcript_read',
  'transcribe',
  'note_add',
  'note_edit',
  'note_delete',
  'share',
  'retry',
  'edit',
  'delete',
  'expire',
  'hold_set',
  'hold_removed',
  'erasure',
  'retention',
  'sign_in',
  'sign_out',
  'session_revoked',
  'link_created',
  'url_revoked',
  'key_created',
  'key_revoked',
  'settings_changed',
]

export function Audit() {
  const { t } = useTranslation()
  const download = useFile()
  const [action, setAction] = useState('')
  const [typed, setTyped] = useState('')
  const [object, setObject] = useState('')
  const query = new URLSearchParams({ ...(action && { action }), ...(object && { object }) })
  const list = useInfiniteQuery({
    queryKey: ['access', 'audit', action, object],
    queryFn: ({ pageParam, signal }) => listAudit(query, pageParam, { signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next,
  })
  const entries = list.data?.pages.flatMap((page) => page.entries) ?? []
  return (
    <section className="panel" aria-labelledby="audit">
      <h2 id="audit">{t('audit.title')}</h2>
      <p className="help">{t('audit.help')}</p>
      <form
        className="settings-line"
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          setObject(typed.trim())
        }}
      >
        <label>
          {t('audit.action')}{' '}
          <select value={action} onChange={(event) => setAction(event.target.value)}>
            <option value="">{t('audit.anyAction')}</option>
            {actions.map((one) => (
              <option key={one} value={one}>
                {t(`audit.did.${one}`)}
              </option>
            ))}
          </select>
        </label>
        <label>
          {t('audit.object')}{' '}
          <input
            value={typed}
            dir="ltr"
            placeholder="CA…, RE…"
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => {
              setTyped(event.target.value)
              if (event.target.value === '') setObject('')
            }}
          />
        </label>
        <button type="submit" className="button">
          {t('audit.look')}
        </button>
        <a className="button" href={auditCsvUrl(query)} download onClick={download}>
          {t('audit.csv')}
        </a>
      </form>
      <Wrong why={list.error} />
      {list.data && entries.length === 0 && <p className="muted">{t('audit.none')}</p>}
      {entries.length > 0 && <Entries entries={entries} />}
      <MoreRows of={list} />
    </section>
  )
}

function Entries({ entries }: { entries: Awaited<ReturnType<typeof listAudit>>['entries'] }) {
  const { t } = useTranslation()
  const { dateTime } = useFormat()
  const makerOf = useMakers()
  return (
    <div className="scrolls">
      <table className="plain-table settings-table audit-table">
        <thead>
          <tr>
            {['audit.when', 'settings.who', 'audit.action', 'audit.object', 'audit.address'].map((title) => (
              <th scope="col" key={title}>
                {t(title)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, at, actor, action, object, ip }) => (
            <tr key={id} data-action={action}>
              <td>{dateTime(new Date(at))}</td>
              <td data-title={t('settings.who')}>
                <bdi>{makerOf(actor)}</bdi>
              </td>
              <td data-title={t('audit.action')}>{t(`audit.did.${action}`, { defaultValue: action })}</td>
              <td data-title={t('audit.object')}>
                <bdi dir="ltr" className="sid">
                  {object?.startsWith('CA') ? <Link to={`/calls/${object}`}>{object}</Link> : object}
                </bdi>
              </td>
              <td data-title={t('audit.address')}>
                <bdi dir="ltr">{ip}</bdi>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
