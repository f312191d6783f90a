// One function a request.
import { ask, Problem } from './http'
import type {
  CallList,
  CallPatch,
  CallWithLegs,
  Recording,
  Retried,
  Session,
  SignedUrl,
  Stats,
  Waveform,
} from './types'

type Signal = { signal?: AbortSignal }
const call = (sid: string) => `api/calls/${encodeURIComponent(sid)}`
const recording = (sid: string) => `api/recordings/${encodeURIComponent(sid)}`

export const streamUrl = (sid: string) => `${recording(sid)}/stream`
export const downloadUrl = (sid: string) => `${recording(sid)}/download`

/** Who is signed in; null: nobody. */
export async function getSession({ signal }: Signal = {}): Promise<Session | null> {
  try {
    return await ask<Session>('api/session', { signal })
  } catch (why) {
    if (why instanceof Problem && why.status === 401) return null
    throw why
  }
}

export const signIn = (key: string) =>
  ask<void>('api/session', { method: 'POST', headers: { Authorization: `Bearer ${key}` } })
export const signOut = () => ask<void>('api/session', { method: 'DELETE' })

export const listCalls = (query: URLSearchParams, { signal }: Signal = {}) =>
  ask<CallList>(`api/calls?${query}`, { signal })
export const getCall = (sid: string, { signal }: Signal = {}) => ask<CallWithLegs>(call(sid), { signal })
export const patchCall = (sid: string, patch: CallPatch) =>
  ask<CallWithLegs>(call(sid), { method: 'PATCH', json: patch })

export const getStatus = (sid: string, { signal }: Signal = {}) =>
  ask<Recording>(`${recording(sid)}/status`, { signal })
export const retry = (sid: string) => ask<Recording>(`${recording(sid)}/retry`, { method: 'POST' })
export const retryAll = (code: string) =>
  ask<Retried>(`api/recordings/retry?code=${encodeURIComponent(code)}`, { method: 'POST' })
export const signUrl = (sid: string, seconds: number) =>
  ask<SignedUrl>(`${recording(sid)}/url?ttl=${seconds}`, { method: 'POST' })

/** Null: there are none (yet). */
export async function getWaveform(sid: string, { signal }: Signal = {}): Promise<Waveform | null> {
  try {
    return await ask<Waveform>(`${recording(sid)}/waveform`, { signal })
  } catch (why) {
    if (why instanceof Problem && why.status === 404) return null
    throw why
  }
}

export const getStats = ({ signal }: Signal = {}) => ask<Stats>('api/stats', { signal })
