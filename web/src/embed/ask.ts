// Finds out about a recording by nothing but the signed URL of its stream.
import type { Card, Recording, Waveform } from '../api/types'
import { answerOf } from '../player/answer'
import type { Answer } from '../player/types'

/** Of http and https alone, and without a user: any other scheme, javascript: for one, is no recording. */
export function urlOf(src: string | null): URL | null {
  if (!src) return null
  try {
    const url = new URL(src, document.baseURI)
    const good = (url.protocol === 'https:' || url.protocol === 'http:') && !url.username && !url.password
    return good ? url : null
  } catch {
    return null
  }
}

/** The key of the place in the recording. It stays the same when the URL is signed again. */
export const keyOf = (src: URL) => /\b(RE[0-9a-f]{32})\b/.exec(src.pathname)?.[1] ?? src.origin + src.pathname

const beside = (src: URL | string, name: string) => {
  const url = new URL(src, document.baseURI)
  url.pathname = url.pathname.replace(/\/file\/([^/]+)$|\/([^/]+)\/stream$/, (_, old, sid) => `/${old ?? sid}/${name}`)
  return url.href
}

export const downloadOf = (src: URL) => beside(src, 'download')

/** Asks the stream itself, as no player would: it answers with the state at once, or begins to send bytes, which are dropped. */
export async function askStream(src: string, signal: AbortSignal): Promise<Answer> {
  const enough = new AbortController()
  signal.addEventListener('abort', () => enough.abort())
  const answer = await fetch(src, {
    headers: { Accept: 'application/json' },
    signal: enough.signal,
  })
  if (answer.status === 200 || answer.status === 206) {
    enough.abort()
    return { kind: 'here', whole: true, retryAfter: null }
  }
  const said: unknown = await answer.json().catch(() => null)
  if (answer.status === 202) return answerOf(said as Recording)
  const code = said && typeof said === 'object' && 'code' in said ? String(said.code) : 'internal'
  return { kind: 'trouble', code, retryAt: null }
}

/** The data for the page of a shared link, or the code of the problem; "offline": nothing answered. */
export async function cardFor(src: string): Promise<{ card: Card | null; problem: string | null }> {
  try {
    const answer = await fetch(beside(src, 'card'), { headers: { Accept: 'application/json' } })
    const said = (await answer.json()) as Card & { code?: string }
    return answer.ok ? { card: said, problem: null } : { card: null, problem: said.code ?? 'internal' }
  } catch {
    return { card: null, problem: 'offline' }
  }
}

export async function peaksFor(src: string): Promise<Waveform | null> {
  try {
    const answer = await fetch(beside(src, 'waveform'), {
      headers: { Accept: 'application/json' },
    })
    return answer.ok ? ((await answer.json()) as Waveform) : null
  } catch {
    return null
  }
}
