import type { Recording } from '../api/types'

const WARN_MS = 7 * 86_400_000

export type Keeping =
  | { kind: 'held'; reason: string; at: Date }
  | { kind: 'soon' | 'until'; at: Date } // soon: within 7 days
  | null // it is kept for ever, or has gone

/** How long a recording stays. */
export function keepingOf(recording: Recording, now = new Date()): Keeping {
  if (recording.status === 'expired') return null
  if (recording.hold) return { kind: 'held', reason: recording.hold.reason, at: new Date(recording.hold.at) }
  if (!recording.expires_at) return null
  const at = new Date(recording.expires_at)
  return { kind: at.getTime() - now.getTime() <= WARN_MS ? 'soon' : 'until', at }
}
