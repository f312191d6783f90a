// Keys and sign-in links: made, listed, revoked. The text of either is shown once.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { listKeys, makeKey, makeSignInLink, revokeKey } from '../api/api'
import { Problem } from '../api/http'
import type { KeyList, Role } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useSession } from '../signin/session'
import { Copy } from '../ui/Copy'
import { Revoke } from './Revoke'

const roles: Role[] = ['viewer', 'agent', 'admin']
const keysKey = ['keys']

export function Keys() {
  const { t } = useTranslation(['app', 'errors'])
  const client = useQueryClient()
  const { data, error } = useQuery({ queryKey: keysKey, queryFn: listKeys })
  const refresh = () => void client.invalidateQueries({ queryKey: keysKey })
  return (
    <section className="panel" aria-labelledby="keys">
      <h2 id="keys">{t('settings.access')}</h2>
      <MakeLink />
      <h3>{t('settings.keys')}</h3>
      <p className="help">{t('settings.keysHelp')}</p>
      <MakeKey refresh={refresh} />
      {error && (
        <p className="wrong" role="alert">
          {t(`errors:${error instanceof Problem ? error.code : 'internal'}`)}
        </p>
      )}
      {data && data.keys.length > 0 && <List keys={data.keys} refresh={refresh} />}
    </section>
  )
}

function RoleChoice({ role, set }: { role: Role; set: (role: Role) => void }) {
  const { t } = useTranslation()
  return (
    <label>
      {t('settings.role')}{' '}
      <select value={role} onChange={(event) => set(event.target.value as Role)}>
        {roles.map((one) => (
          <option key={one} value={one}>
            {t(`role.${one}`)}
          </option>
        ))}
      </select>
    </label>
  )
}

function Made({ label, text, help }: { label: string; text: string; help: string }) {
  const id = useId()
  return (
    <div className="made" role="status">
      <label htmlFor={id}>{label}</label>
      <div className="share-row">
        <input id={id} readOnly dir="ltr" value={text} onFocus={(event) => event.target.select()} />
        <Copy text={text} words />
      </div>
      <p className="help">{help}</p>
    </div>
  )
}

function MakeLink() {
  const { t } = useTranslation(['app', 'errors'])
  const { time } = useFormat()
  const [role, setRole] = useState<Role>('agent')
  const make = useMutation({ mutationFn: () => makeSignInLink(role) })
  return (
    <>
      <h3>{t('settings.links')}</h3>
      <p className="help">{t('settings.linksHelp')}</p>
      <div className="settings-line">
        <RoleChoice role={role} set={setRole} />
        <button type="button" className="button" disabled={make.isPending} onClick={() => make.mutate()}>
          {t('settings.makeLink')}
        </button>
      </div>
      {make.isError && (
        <p className="wrong" role="alert">
          {t(`errors:${make.error instanceof Problem ? make.error.code : 'internal'}`)}
        </p>
      )}
      {make.data && (
        <Made
          label={t('settings.linkFor', { role: t(`role.${make.data.role}`) })}
          text={new URL(make.data.url, document.baseURI).href}
          help={t('settings.linkUntil', { when: time(new Date(make.data.expires_at)) })}
        />
      )}
    </>
  )
}

function MakeKey({ refresh }: { refresh: () => void }) {
  const { t } = useTranslation(['app', 'errors'])
  const [role, setRole] = useState<Role>('agent')
  const [name, setName] = useState('')
  const make = useMutation({
    mutationFn: () => makeKey({ role, name: name.trim() || null }),
    onSuccess: () => {
      setName('')
      refresh()
    },
  })
  return (
    <>
      <form
        className="settings-line"
        onSubmit={(event: FormEvent) => {
          event.preventDefault()
          if (!make.isPending) make.mutate()
        }}
      >
        <label>
          {t('settings.keyName')}{' '}
          <input
            value={name}
            maxLength={100}
            dir="auto"
            autoComplete="off"
            placeholder={t('settings.keyNameHint')}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <RoleChoice role={role} set={setRole} />
        <button type="submit" className="button" disabled={make.isPending}>
          {t('settings.makeKey')}
        </button>
      </form>
      {make.isError && (
        <p className="wrong" role="alert">
          {t(`errors:${make.error instanceof Problem ? make.error.code : 'internal'}`)}
        </p>
      )}
      {make.data && (
        <Made
          label={t('settings.newKey', { role: t(`role.${make.data.role}`) })}
          text={make.data.key}
          help={t('settings.newKeyHelp')}
        />
      )}
    </>
  )
}

function List({ keys, refresh }: { keys: KeyList['keys']; refresh: () => void }) {
  const { t } = useTranslation()
  const { date, dateTime } = useFormat()
  const { subject } = useSession()
  return (
    <div className="scrolls">
      <table className="settings-table">
        <thead>
          <tr>
            <th scope="col">{t('settings.keyName')}</th>
            <th scope="col">{t('settings.role')}</th>
            <th scope="col">{t('settings.made')}</th>
            <th scope="col">{t('settings.lastUsed')}</th>
            <th scope="col">
              <span className="unseen">{t('settings.revoke')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((key) => {
            const name = key.name ?? t('settings.keyNumber', { id: key.key_id })
            return (
              <tr key={key.key_id} data-key={key.key_id}>
                <th scope="row">
                  <bdi>{name}</bdi> {subject === `key:${key.key_id}` && <small>{t('settings.thisKey')}</small>}
                </th>
                <td>{t(`role.${key.role}`)}</td>
                <td>{date(new Date(key.created_at))}</td>
                <td>{key.last_used_at ? dateTime(new Date(key.last_used_at)) : t('settings.never')}</td>
                <td>
                  <Revoke what={name} revoke={() => revokeKey(key.key_id)} done={refresh} />
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
