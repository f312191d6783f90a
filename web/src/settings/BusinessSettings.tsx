// The name, the numbers, the retention and the provider's credentials of the business. Credentials are written and never shown.
import { useQuery } from '@tanstack/react-query'
import { useId, useState } from 'react'
import { getBusiness } from '../api/api'
import type { Business } from '../api/types'
import { useTranslation } from '../i18n'
import { Url, Webhook } from '../setup/Checklist'
import { Findings } from '../setup/Findings'
import { troublesOf, urlsOf } from '../setup/setup'
import { useSetup } from '../setup/useSetup'
import { Wrong } from '../ui/Wrong'
import { businessKey, Form, useSave } from './Form'
import { CallRetention, Retention } from './Retention'
import { Transcribing } from './Transcribing'

export function BusinessSettings() {
  const { t } = useTranslation()
  const { data: business, error } = useQuery({ queryKey: businessKey, queryFn: getBusiness })
  const { data: setup } = useSetup()
  if (error) return <Wrong why={error} />
  if (!business) return <p role="status">{t('crash.loading')}</p>
  const urls = setup && urlsOf(setup, document.baseURI)
  return (
    <>
      {setup && <Findings findings={troublesOf(setup)} />}
      <section className="panel" aria-labelledby="business">
        <h2 id="business">{t('settings.business')}</h2>
        <Name business={business} />
        <Numbers business={business} />
        <Retention business={business} />
        <CallRetention business={business} />
      </section>
      <Transcribing business={business} />
      <section className="panel" aria-labelledby="provider">
        <h2 id="provider">{t('settings.provider')}</h2>
        <p className="help">{t(`setup.credentials_${setup?.credentials ?? business.credentials}`)}</p>
        <Credentials business={business} />
        {setup && urls && (
          <>
            <h3>{t('setup.urls')}</h3>
            <p className="help">{t('setup.urlsHelp')}</p>
            <Url label={t('setup.urlCall')} url={urls.call} />
            <Url label={t('setup.urlRecording')} url={urls.recording} />
            <Webhook setup={setup} />
          </>
        )}
      </section>
    </>
  )
}

function Name({ business }: { business: Business }) {
  const { t } = useTranslation()
  const [text, setText] = useState<string | null>(null)
  const save = useSave(() => setText(null))
  const id = useId()
  const name = text?.trim() ?? business.name
  return (
    <Form save={save} changed={name !== '' && name !== business.name} submit={() => save.mutate({ name })}>
      <label htmlFor={id}>{t('settings.name')}</label>
      <input
        id={id}
        value={text ?? business.name}
        maxLength={200}
        dir="auto"
        autoComplete="organization"
        onChange={(event) => setText(event.target.value)}
      />
    </Form>
  )
}

/** Numbers stand one to a line; what people write between the digits does not count. */
export const numbersIn = (text: string): string[] =>
  text
    .split(/[\n,;]/)
    .map((line) => line.replace(/[^\d+]/g, ''))
    .filter(Boolean)

function Numbers({ business }: { business: Business }) {
  const { t } = useTranslation()
  const [text, setText] = useState<string | null>(null)
  const save = useSave(() => setText(null))
  const id = useId()
  const numbers = text === null ? business.numbers : numbersIn(text)
  return (
    <Form save={save} changed={numbers.join() !== business.numbers.join()} submit={() => save.mutate({ numbers })}>
      <label htmlFor={id}>{t('settings.numbers')}</label>
      <textarea
        id={id}
        rows={Math.min(8, Math.max(2, business.numbers.length + 1))}
        value={text ?? business.numbers.join('\n')}
        dir="ltr"
        placeholder="+972501234567"
        aria-describedby={`${id}-help`}
        onChange={(event) => setText(event.target.value)}
      />
      <p id={`${id}-help`} className="help">
        {t('settings.numbersHelp')}
      </p>
    </Form>
  )
}

const secrets = ['auth_token', 'api_key', 'api_secret'] as const

function Credentials({ business }: { business: Business }) {
  const { t } = useTranslation()
  const [texts, setTexts] = useState<Record<string, string>>({})
  const save = useSave(() => setTexts({}))
  const id = useId()
  const value = (name: string) => texts[name]?.trim() ?? ''
  const account = value('account_sid') || business.account_sid || ''
  const given = Object.fromEntries(
    ['account_sid', ...secrets].flatMap((name) => (value(name) ? [[name, value(name)]] : [])),
  )
  const field = (name: string, type: 'text' | 'password', placeholder: string) => (
    <>
      <label htmlFor={`${id}-${name}`}>{t(`settings.${name}`)}</label>
      <input
        id={`${id}-${name}`}
        type={type}
        value={texts[name] ?? (name === 'account_sid' ? account : '')}
        placeholder={placeholder}
        dir="ltr"
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => setTexts({ ...texts, [name]: event.target.value })}
      />
    </>
  )
  return (
    <Form save={save} changed={Object.keys(given).length > 0} submit={() => save.mutate({ credentials: given })}>
      {field('account_sid', 'text', 'AC…')}
      {field('auth_token', 'password', business.has_auth_token ? t('settings.stored') : '')}
      <details>
        <summary>{t('settings.apiKey')}</summary>
        {field('api_key', 'text', business.api_key ?? 'SK…')}
        {field('api_secret', 'password', business.api_key ? t('settings.stored') : '')}
      </details>
      <p className="help">{t('settings.credentialsHelp')}</p>
    </Form>
  )
}
