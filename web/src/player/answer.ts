// Turns the status of a recording into the next step of a player that waits for its sound.
import type { Recording } from '../api/types'
import type { Answer } from './types'

export function answerOf(r: Recording): Answer {
  const code = r.error?.code ?? null
  switch (r.status) {
    case 'ready':
      return { kind: 'here', whole: true, retryAfter: null }
    case 'downloading':
      return r.progress.bytes > 1000
        ? { kind: 'here', whole: false, retryAfter: r.retry_after }
        : { kind: 'coming', retryAfter: r.retry_after }
    case 'queued':
      return code === 'no_worker'
        ? { kind: 'trouble', code, retryAt: null }
        : { kind: 'coming', retryAfter: r.retry_after }
    case 'expired':
      return { kind: 'trouble', code: 'gone', retryAt: null }
    case 'missing':
      return { kind: 'trouble', code: code ?? 'not_ready', retryAt: null }
    case 'failed':
      return { kind: 'trouble', code: code ?? 'provider_error', retryAt: r.next_retry_at }
  }
}
