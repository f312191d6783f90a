// The checklist of an admin in the first hour: steps that are done, to do, or waited for. It ends by itself with the first call.
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { Problem } from '../api/http'
import type { Setup } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Copy } from '../ui/Copy'
import { Icon } from '../ui/Icon'
import { Notice } from '../ui/Notice'
import { useNow } from '../ui/useNow'
import { Findings } from './Findings'
import { type StepState, stepsOf, troublesOf, urlsOf } from './setup'
import { useSetup } from './useSetup'
import '../ui/panels.css'
import './setup.css'

export default function Checklist() {
  const { t } = useTranslation(['app', 'errors'])
  const { data, error, refetch } = useSetup()
  if (!data && error)
    return (
      <Notice
        title={t('calls.empty')}
        text={t(`errors:${error instanceof Problem ? error.code : 'internal'}`)}
        icon="alert"
        alert
      >
        <button type="button" className="button" onClick={() => void refetch()}>
          {t('calls.again')}
        </button>
      </Notice>
    )
  if (!data) return <p role="status">{t('crash.loading')}</p>
  return <Steps setup={data} />
}

const shownAbove = ['no_credentials', 'credentials_refused', 'no_webhook', 'webhook_refused']

function Steps({ setup }: { setup: Setup }) {
  const { t } = useTranslation()
  const steps = stepsOf(setup)
  const urls = urlsOf(setup, document.baseURI)
  const others = troublesOf(setup).filter(({ code }) => !shownAbove.includes(code))
  return (
    <section className="panel checklist" aria-labelledby="first-hour">
      <h2 id="first-hour">{t('setup.title')}</h2>
      <p className="muted">{t('setup.lead')}</p>
      <Findings findings={others} />
      <ol>
        <Step state={steps.credentials} title={t('setup.credentials')}>
          <p>{t(`setup.credentials_${setup.credentials}`)}</p>
          {setup.credentials !== 'ok' && (
            <Link to="/settings" className="button">
              {t('setup.enterCredentials')}
            </Link>
          )}
        </Step>
        <Step state={steps.webhook === 'done' ? 'done' : 'open'} title={t('setup.urls')}>
          <p>{t('setup.urlsHelp')}</p>
          <Url label={t('setup.urlCall')} url={urls.call} />
          <Url label={t('setup.urlRecording')} url={urls.recording} />
        </Step>
        <Step state={steps.webhook} title={t('setup.webhook')}>
          <Webhook setup={setup} />
        </Step>
        <Step state={steps.recording} title={t('setup.recording')}>
          <p>{t('setup.recordingHelp')}</p>
        </Step>
      </ol>
    </section>
  )
}

function Step({ state, title, children }: { state: StepState; title: string; children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <li className={`step step-${state}`} data-step={state}>
      <span className="step-mark">
        {state === 'done' && <Icon name="check" />}
        {state === 'wrong' && <Icon name="close" />}
      </span>
      <div>
        <h3>
          {title} <span className="unseen">({t(`setup.state_${state}`)})</span>
        </h3>
        {children}
      </div>
    </li>
  )
}

/** An address that is entered at the provider, with a button that copies it. */
export function Url({ label, url }: { label: string; url: string }) {
  return (
    <div className="setup-url">
      <span>{label}</span>
      <code dir="ltr">{url}</code>
      <Copy text={url} words />
    </div>
  )
}

/** The time of the last webhook, and whether it was accepted. */
export function Webhook({ setup }: { setup: Setup }) {
  const { t } = useTranslation()
  const { ago } = useFormat()
  const now = useNow(1000)
  const last = setup.last_webhook
  return (
    <div role="status">
      {!last && <p>{t('setup.waitsForWebhook')}</p>}
      {last && last.result !== 'refused' && (
        <p>{t('setup.webhookTaken', { when: ago(new Date(last.at), now), kind: t(`setup.kind_${last.kind}`) })}</p>
      )}
      {last && last.result === 'refused' && (
        <p className="wrong">
          {t('setup.webhookRefused', { when: ago(new Date(last.at), now) })} <bdi dir="ltr">{last.reason}</bdi>{' '}
          {t('setup.todo.webhook_refused')}
        </p>
      )}
    </div>
  )
}
