import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useEffect } from 'react'
import { useNavigate } from 'react-router'
import { getSession, signIn, signOut } from '../api/api'
import { Problem } from '../api/http'
import type { Session } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'

export const SessionContext = createContext<Session | null>(null)

/** The subject that is signed in. Use it only below SessionGate. */
export function useSession(): Session {
  const session = useContext(SessionContext)
  if (!session) throw new Error('no session')
  return session
}

/** Told to the other tabs: somebody signed in or out. */
const doors = new BroadcastChannel('callreel-session')

export function useSessionQuery() {
  const client = useQueryClient()
  const query = useQuery({ queryKey: ['session'], queryFn: getSession, staleTime: Number.POSITIVE_INFINITY })
  useEffect(() => {
    doors.onmessage = () => void client.invalidateQueries({ queryKey: ['session'] })
  }, [client])
  // The end of a session is known beforehand.
  const ends = query.data?.expires_at
  useEffect(() => {
    if (!ends) return
    const timer = setTimeout(
      () => void client.invalidateQueries({ queryKey: ['session'] }),
      Math.min(Math.max(0, Date.parse(ends) - Date.now()) + 500, 2 ** 31 - 1),
    )
    return () => clearTimeout(timer)
  }, [ends, client])
  return query
}

export function useSignIn() {
  const client = useQueryClient()
  return useMutation({
    mutationFn: signIn,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: ['session'] })
      doors.postMessage('in')
    },
  })
}

/** Signed out is said only when it is so: else the cookie is still valid. */
export function useSignOut() {
  const client = useQueryClient()
  const navigate = useNavigate()
  const { t } = useTranslation()
  const leave = () => {
    client.setQueryData(['session'], null)
    client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    doors.postMessage('out')
    void navigate('/signed-out')
  }
  return useMutation({
    mutationFn: signOut,
    networkMode: 'always', // else it would wait for the network and sign out later, unseen
    onSuccess: leave,
    onError: (why) => {
      if (why instanceof Problem && why.status === 401) leave()
      else announce(t('signin.signOutFailed'), { shown: true })
    },
  })
}
