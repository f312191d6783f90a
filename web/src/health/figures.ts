// Derives what the page of health shows from the figures of the service. Pure.
import type { Stats } from '../api/types'

export interface Sample {
  at: number // ms
  depth: number
  ready: number // share, 0 to 1
  failed: number
}

export const KEEP = 180 // samples: half an hour at one in ten seconds
const QUEUE_MOST = 10
const QUEUE_MS = 5 * 60_000
const READY_LEAST = 0.8
const FAILED_MOST = 0.01
export const ANY = 'any' // in `retrying`: the failures of all codes

export const isAbsence = (code: string) => code.startsWith('absent_')

/** How many of those that count as failed at the service never were: the provider said that nothing was recorded. */
export const absentOf = (failures: Record<string, number>): number =>
  Object.entries(failures).reduce((sum, [code, n]) => sum + (isAbsence(code) ? n : 0), 0)

/** Shares of all recordings that are or may come. */
export function shares({ recordings, failures }: Stats): { ready: number | null; failed: number | null } {
  const r = { ...recordings, failed: Math.max(0, recordings.failed - absentOf(failures)) }
  const all = r.missing + r.queued + r.downloading + r.ready + r.failed
  return all === 0 ? { ready: null, failed: null } : { ready: r.ready / all, failed: r.failed / all }
}

/** The service is still queueing failed recordings again. */
export const retriesGoOn = ({ retrying }: Pick<Stats, 'retrying'>): boolean => Object.keys(retrying).length > 0

export interface FailureRow {
  code: string
  failed: number
  queued: number | null // again so far, while all of this code are being queued again; else null
}

/** A row a reason, the most frequent first, and those whose last ones are just being queued again. */
export function failureRows(failures: Record<string, number>, retrying: Record<string, number>): FailureRow[] {
  const codes = new Set([...Object.keys(failures), ...Object.keys(retrying).filter((code) => code !== ANY)])
  return [...codes]
    .map((code) => ({ code, failed: failures[code] ?? 0, queued: retrying[code] ?? null }))
    .sort((a, b) => b.failed - a.failed || a.code.localeCompare(b.code))
}

export function sampleOf(stats: Stats, at: number): Sample {
  const { ready, failed } = shares(stats)
  return { at, depth: stats.queue_depth, ready: ready ?? 1, failed: failed ?? 0 }
}

export const withSample = (history: readonly Sample[], sample: Sample): Sample[] =>
  [...history.filter((old) => old.at < sample.at), sample].slice(-KEEP)

/** The queue has been too long for five minutes: as seen here, or because its oldest waits that long. */
function queueIsStuck(stats: Stats, history: readonly Sample[]): boolean {
  if (stats.queue_depth <= QUEUE_MOST) return false
  if ((stats.queue_oldest_seconds ?? 0) * 1000 >= QUEUE_MS) return true
  const now = history.at(-1)?.at ?? 0
  const short = history.findLast((sample) => sample.depth <= QUEUE_MOST)
  const since = short ? history[history.indexOf(short) + 1]?.at : history[0]?.at
  return since !== undefined && now - since >= QUEUE_MS
}

export type Warning = 'warnQueue' | 'warnReady' | 'warnFailed' | 'warnDisk'

export function warningsOf(stats: Stats, history: readonly Sample[]): Warning[] {
  const { ready, failed } = shares(stats)
  const found: Warning[] = []
  if (queueIsStuck(stats, history)) found.push('warnQueue')
  if (ready !== null && ready < READY_LEAST) found.push('warnReady')
  if (failed !== null && failed > FAILED_MOST) found.push('warnFailed')
  if (stats.store_free_bytes !== null && stats.store_free_bytes <= stats.store_reserved_bytes) found.push('warnDisk')
  return found
}
