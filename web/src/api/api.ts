// One function for each request.
import { takeSession } from '../app/early'
import { ask, Problem } from './http'
import type {
  AuditPage,
  Business,
  BusinessPatch,
  CallList,
  CallPatch,
  CallWithLegs,
  Erasure,
  Hold,
  HoldList,
  KeyList,
  NewKey,
  NewNote,
  Note,
  Recording,
  Retried,
  Role,
  Session,
  SessionList,
  Setup,
  SignedUrl,
  SignInLink,
  Stats,
  UrlList,
  Waveform,
} from './types'

type Signal = { signal?: AbortSignal }
const call = (sid: string) => `api/calls/${encodeURIComponent(sid)}`
const recording = (sid: string) => `api/recordings/${encodeURIComponent(sid)}`

export const streamUrl = (sid: string) => `${recording(sid)}/stream`
/** `at`: when it was recorded; the file is named by the reader's clock, as the page shows it. */
export function downloadUrl(sid: string, at: string | null): string {
  const offset = at ? -new Date(at).getTimezoneOffset() : 0
  return `${recording(sid)}/download${offset ? `?utc_offset=${offset}` : ''}`
}

/** The subject that is signed in; null: nobody is. */
export async function getSession({ signal }: Signal = {}): Promise<Session | null> {
  try {
    return await ask<Session>('api/session?details=1', { signal, begun: takeSession() })
  } catch (why) {
    if (why instanceof Problem && why.status === 401) return null
    throw why
  }
}

export const signIn = (key: string) =>
  ask<void>('api/session', { method: 'POST', headers: { Authorization: `Bearer ${key}` } })
export const signOut = () => ask<void>('api/session', { method: 'DELETE' })

export const listCalls = (query: URLSearchParams, { signal, begun }: Signal & { begun?: Response } = {}) =>
  ask<CallList>(`api/calls?${query}`, { signal, begun })
/** All calls of a list, as a file. */
export const csvUrl = (query: URLSearchParams) => {
  const all = new URLSearchParams(query)
  all.delete('limit')
  return `api/calls.csv?${all}`
}
export const getCall = (sid: string, { signal }: Signal = {}) => ask<CallWithLegs>(call(sid), { signal })
export const patchCall = (sid: string, patch: CallPatch) =>
  ask<CallWithLegs>(call(sid), { method: 'PATCH', json: patch })

export const getStatus = (sid: string, { signal }: Signal = {}) =>
  ask<Recording>(`${recording(sid)}/status`, { signal })
export const retry = (sid: string) => ask<Recording>(`${recording(sid)}/retry`, { method: 'POST' })
/** Also a recording of which the provider said that there is nothing. */
export const retryInSpite = (sid: string) => ask<Recording>(`${recording(sid)}/retry?force=1`, { method: 'POST' })
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

/** Deletes a recording for good. A worker removes its files. */
export const deleteRecording = (sid: string) => ask<void>(recording(sid), { method: 'DELETE' })

/** Deletes a call for good, with its legs and all that is known of them. */
export const deleteCall = (sid: string) => ask<void>(call(sid), { method: 'DELETE' })

export const setHold = (what: 'recording' | 'call', sid: string, reason: string) =>
  ask<void>(`${what === 'call' ? call(sid) : recording(sid)}/hold`, { method: 'PUT', json: { reason } })
export const listHolds = (cursor: string, { signal }: Signal = {}) =>
  ask<HoldList>(`api/holds${cursor && `?cursor=${encodeURIComponent(cursor)}`}`, { signal })
export const holdNumber = (number: string, reason: string) =>
  ask<Hold>('api/holds', { method: 'POST', json: { number, reason } })
export const removeHoldById = (id: number) => ask<void>(`api/holds/${id}`, { method: 'DELETE' })
export const erase = (number: string) => ask<Erasure>('api/erasure', { method: 'POST', json: { number } })
export const getErasure = (id: number, { signal }: Signal = {}) => ask<Erasure>(`api/erasure/${id}`, { signal })

export const listNotes = (sid: string, { signal }: Signal = {}) =>
  ask<{ notes: Note[] }>(`${recording(sid)}/notes`, { signal })
export const addNote = (sid: string, note: NewNote) =>
  ask<Note>(`${recording(sid)}/notes`, { method: 'POST', json: note })
export const editNote = (sid: string, id: number, text: string) =>
  ask<Note>(`${recording(sid)}/notes/${id}`, { method: 'PATCH', json: { text } })
export const deleteNote = (sid: string, id: number) => ask<void>(`${recording(sid)}/notes/${id}`, { method: 'DELETE' })

export const getStats = ({ signal }: Signal = {}) => ask<Stats>('api/stats', { signal })

export const getSetup = ({ signal }: Signal = {}) => ask<Setup>('api/setup', { signal })
export const getBusiness = ({ signal }: Signal = {}) => ask<Business>('api/business', { signal })
export const patchBusiness = (patch: BusinessPatch) => ask<Business>('api/business', { method: 'PATCH', json: patch })
export const listKeys = ({ signal }: Signal = {}) => ask<KeyList>('api/keys', { signal })
export const makeKey = (wish: { role: Role; name: string | null }) =>
  ask<NewKey>('api/keys', { method: 'POST', json: wish })
export const revokeKey = (id: number) => ask<void>(`api/keys/${id}`, { method: 'DELETE' })
export const makeSignInLink = (role: Role) => ask<SignInLink>('api/signin-links', { method: 'POST', json: { role } })
export const listSessions = ({ signal }: Signal = {}) => ask<SessionList>('api/sessions', { signal })
export const endSession = (id: string) => ask<void>(`api/sessions/${id}`, { method: 'DELETE' })
export const endSessions = () => ask<void>('api/sessions', { method: 'DELETE' })
export const listUrls = (cursor: string, { signal }: Signal = {}) =>
  ask<UrlList>(`api/urls${cursor && `?cursor=${encodeURIComponent(cursor)}`}`, { signal })
export const revokeUrl = (id: string) => ask<void>(`api/urls/${id}`, { method: 'DELETE' })
export const revokeUrls = () => ask<void>('api/urls', { method: 'DELETE' })

export const listAudit = (query: URLSearchParams, cursor: string, { signal }: Signal = {}) => {
  const page = new URLSearchParams(query)
  if (cursor) page.set('cursor', cursor)
  return ask<AuditPage>(`api/audit?${page}`, { signal })
}
/** All entries that the filters leave, as a file. */
export const auditCsvUrl = (query: URLSearchParams) => `api/audit.csv?${query}`
