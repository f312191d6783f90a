// Shows the pages while somebody is signed in. When the session ends, the page stays in place, below a form to sign in again.
import { useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useLocation, useNavigate } from 'react-router'
import { Problem } from '../api/http'
import type { Session } from '../api/types'
import { PageLost } from '../app/LazyPage'
import { useTranslation } from '../i18n'
import { LiveProvider } from '../live/live'
import { PlayerProvider } from '../player/PlayerProvider'
import { later } from '../ui/later'
import { Notice } from '../ui/Notice'
import { SessionContext, useSessionQuery } from './session'

const SignIn = later<{ expired?: boolean }>(() => import('./SignIn'), PageLost)

export function SessionGate({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { data: session, error, isPending, refetch } = useSessionQuery()
  const { pathname } = useLocation()
  const navigate = useNavigate()
  const [kept, setKept] = useState<Session | null>(null) // the last subject that was signed in
  const left = pathname === '/signed-out'

  useEffect(() => {
    if (session) {
      if (kept && kept.business_id !== session.business_id)
        client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
      if (session !== kept) setKept(session)
      if (left) void navigate('/', { replace: true })
    } else if (session === null && left && kept) setKept(null)
  }, [session, kept, left, client, navigate])

  if (isPending) return <div className="splash" aria-busy="true" />
  if (session === undefined) {
    const code = error instanceof Problem ? error.code : 'internal'
    return (
      <main className="page">
        <Notice title={t('calls.error')} text={t(`errors:${code}`)} icon="alert" heading={1} alert>
          <button type="button" className="button" onClick={() => void refetch()}>
            {t('calls.again')}
          </button>
        </Notice>
      </main>
    )
  }
  const who = session ?? (left ? null : kept)
  if (!who || left) return session && left ? null : <SignIn />
  return (
    <SessionContext value={who}>
      <LiveProvider business={who.business_id} key={who.business_id}>
        <PlayerProvider>
          {children}
          {session === null && <Expired />}
        </PlayerProvider>
      </LiveProvider>
    </SessionContext>
  )
}

function Expired() {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} className="dialog expired" aria-labelledby="signin-title" onCancel={(e) => e.preventDefault()}>
      <SignIn expired />
    </dialog>
  )
}
