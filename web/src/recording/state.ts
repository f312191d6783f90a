// Chooses the words for the state of a recording, and their kind. Pure.
import type { Recording } from '../api/types'

export type Kind = 'ready' | 'coming' | 'waiting' | 'failed' | 'gone' | 'none'
export interface Told {
  kind: Kind
  key: string // of recording.* in the words of the app
  share?: number // arrived
  until?: string // when it is tried again
}

export function told(r: Recording): Told {
  const code = r.error?.code
  if (r.recording_sid === null) return { kind: 'none', key: 'none' }
  switch (r.status) {
    case 'ready':
      return { kind: 'ready', key: 'ready' }
    case 'downloading':
      return r.progress.total
        ? { kind: 'coming', key: 'arriving', share: Math.min(1, r.progress.bytes / r.progress.total) }
        : { kind: 'coming', key: 'arrivingSome' }
    case 'queued':
      if (code === 'not_yet_available') return { kind: 'waiting', key: 'notYet' }
      if (code === 'storage_full') return { kind: 'waiting', key: 'noRoom' }
      if (code === 'no_worker') return { kind: 'waiting', key: 'noWorker' }
      if (code === 'auth_failed') return { kind: 'waiting', key: 'noCredentials' }
      return { kind: 'waiting', key: 'queued' }
    case 'missing':
      return code === 'not_yet_available' ? { kind: 'waiting', key: 'making' } : { kind: 'gone', key: 'missing' }
    case 'expired':
      return { kind: 'gone', key: 'expired' }
    case 'failed':
      if (isAbsent(r)) return { kind: 'gone', key: 'absent' }
      if (r.next_retry_at) return { kind: 'failed', key: 'failedAgain', until: r.next_retry_at }
      return { kind: 'failed', key: 'failed' }
  }
}

/** The provider said that nothing was recorded: this is no failure. */
export const isAbsent = (r: Recording): boolean =>
  r.status === 'failed' && (r.error?.code.startsWith('absent_') ?? false)

/** False: there is nothing to be heard, now or later. */
export function isPlayable(r: Recording): boolean {
  if (r.recording_sid === null || r.status === 'expired') return false
  return !isAbsent(r)
}
