// Access to the business: sign-in links, API keys, sessions. The text of a link or a key is shown once.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useId, useState } from 'react'
import { listKeys, makeKey, makeSignInLink, revokeKey } from '../api/api'
import type { KeyList, Role } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useSession } from '../signin/session'
import { Copy } from '../ui/Copy'
import { Wrong } from '../ui/Wrong'
import { keysKey } from './makers'
import { Revocable } from './Revocable'
import { Sessions, sessionsKey } from './Sessions'

const roles: Role[] = ['viewer', 'agent', 'admin']
type Key = KeyList['keys'][number]

export function Keys() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { date, dateTime } = useFormat()
  const { subject } = useSession()
  const { data, error } = useQuery({ queryKey: keysKey, queryFn: listKeys })
  /** A revoked key takes its sessions and links with it. */
  const refresh = () => void client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'access' })
  const nameOf = (key: Key) => key.name ?? t('settings.keyNumber', { id: key.key_id })
  return (
    <section className="panel" aria-labelledby="keys">
      <h2 id="keys">{t('settings.access')}</h2>
      <MakeLink made={() => void client.invalidateQueries({ queryKey: sessionsKey })} />
      <h3>{t('settings.keys')}</h3>
      <p className="help">{t('settings.keysHelp')}</p>
      <MakeKey made={refresh} />
      <Wrong why={error} />
      {data && data.keys.length > 0 && (
        <Revocable
          rows={data.keys}
          idOf={(key) => key.key_id}
          nameOf={nameOf}
          revoke={(key) => revokeKey(key.key_id)}
          done={refresh}
          head={{
            title: t('settings.keyName'),
            of: (key) => (
              <>
                <bdi>{nameOf(key)}</bdi> {subject === `key:${key.key_id}` && <small>{t('settings.thisKey')}</small>}
              </>
            ),
          }}
          columns={[
            { title: t('settings.role'), of: (key) => t(`role.${key.role}`) },
            { title: t('settings.made'), of: (key) => date(new Date(key.created_at)) },
            {
              title: t('settings.lastUsed'),
              of: (key) => (key.last_used_at ? dateTime(new Date(key.last_used_at)) : t('settings.never')),
            },
          ]}
        />
      )}
      <Sessions />
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

function MakeLink({ made }: { made: () => void }) {
  const { t } = useTranslation()
  const { time } = useFormat()
  const [role, setRole] = useState<Role>('agent')
  const make = useMutation({ mutationFn: () => makeSignInLink(role), onSuccess: made })
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
      <Wrong why={make.error} />
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

function MakeKey({ made }: { made: () => void }) {
  const { t } = useTranslation()
  const [role, setRole] = useState<Role>('agent')
  const [name, setName] = useState('')
  const make = useMutation({
    mutationFn: () => makeKey({ role, name: name.trim() || null }),
    onSuccess: () => {
      setName('')
      made()
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
      <Wrong why={make.error} />
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
