import { type FormEvent, useEffect, useId, useRef, useState } from 'react'
import { useLocation } from 'react-router'
import { Problem } from '../api/http'
import { settings } from '../app/settings'
import { useTranslation } from '../i18n'
import { languages } from '../i18n/language'
import { Logo } from '../ui/Icon'
import { useSignIn } from './session'
import './signin.css'

export default function SignIn({ expired = false }: { expired?: boolean }) {
  const { t, language } = useTranslation()
  const { pathname, search } = useLocation()
  const [key, setKey] = useState('')
  const field = useId()
  const help = useId()
  const enter = useSignIn()
  const input = useRef<HTMLInputElement>(null)
  useEffect(() => input.current?.focus(), [])

  function submit(event: FormEvent) {
    event.preventDefault()
    if (key.trim() && !enter.isPending) enter.mutate(key.trim())
  }

  const linkUsed = pathname === '/signin' || (pathname === '/signed-out' && new URLSearchParams(search).has('link'))
  const why = expired
    ? t('signin.expired')
    : linkUsed
      ? t('signin.linkUsed')
      : pathname === '/signed-out'
        ? t('signin.signedOut')
        : null
  const wrong = enter.error && wordsOf(enter.error)
  const Frame = expired ? 'div' : 'main'
  return (
    <Frame className="signin" id={expired ? undefined : 'main'}>
      <form onSubmit={submit} className="signin-card">
        <Logo />
        <h1 id="signin-title">{t('signin.title')}</h1>
        <p className="signin-lead" role={why ? 'status' : undefined}>
          {why ?? t('signin.lead')}
        </p>
        <label htmlFor={field}>{t('signin.key')}</label>
        <input
          ref={input}
          id={field}
          type="password"
          dir="ltr"
          autoComplete="current-password"
          spellCheck={false}
          required
          value={key}
          onChange={(event) => setKey(event.target.value)}
          aria-describedby={help}
          aria-invalid={wrong ? true : undefined}
        />
        <p id={help} className={wrong ? 'wrong' : 'help'} role={wrong ? 'alert' : undefined}>
          {wrong ? t(wrong) : t('signin.keyHelp')}
        </p>
        <button type="submit" className="button primary" disabled={enter.isPending}>
          {enter.isPending ? t('signin.busy') : t('signin.submit')}
        </button>
        {!expired && (
          <>
            <h2>{t('signin.linkTitle')}</h2>
            <p className="help">{t('signin.link')}</p>
          </>
        )}
      </form>
      <p className="signin-languages">
        {languages.map(({ code, name }) => (
          <button
            key={code}
            type="button"
            className="quiet"
            lang={code}
            aria-pressed={language === code}
            onClick={() => settings.set({ language: code })}
          >
            {name}
          </button>
        ))}
      </p>
    </Frame>
  )
}

function wordsOf(why: Error): string {
  if (!(why instanceof Problem)) return 'errors:internal'
  if (why.status === 401) return 'signin.wrong'
  if (why.status === 403) return 'signin.platform'
  return `errors:${why.code}`
}
