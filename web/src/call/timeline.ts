// The events of a call, leg by leg, on one scale of time. Pure.
import type { Call, Recording } from '../api/types'

/** A part of a leg; seconds from the beginning of the whole call. */
export interface Part {
  kind: 'rang' | 'talked' | 'recorded'
  from: number
  to: number
}
export interface LegLine {
  leg: Call
  parts: Part[]
  answered: boolean
  transferred: boolean // it began after another child leg had been answered
}
export interface Timeline {
  start: number // ms
  seconds: number
  lines: LegLine[]
}

const ms = (text: string | null) => (text ? Date.parse(text) : Number.NaN)
const MOST_RING_S = 600 // a longer time before a conversation is not ringing

function partsOf(leg: Call, recordings: readonly Recording[], start: number): Part[] {
  const begins = (ms(leg.started_at) - start) / 1000
  if (!Number.isFinite(begins)) return []
  const ended = (ms(leg.ended_at) - start) / 1000
  const talk = leg.duration ?? 0
  const over = Number.isFinite(ended) ? ended : begins + talk
  // The provider tells when a leg began and ended, and how long it was talked.
  const ring = over - begins - talk
  const answeredAt = talk > 0 && ring > 0.5 && ring < MOST_RING_S ? over - talk : begins
  const parts: Part[] = []
  if (talk === 0) parts.push({ kind: 'rang', from: begins, to: Math.max(over, begins) })
  else if (answeredAt > begins) parts.push({ kind: 'rang', from: begins, to: answeredAt })
  if (talk > 0) parts.push({ kind: 'talked', from: answeredAt, to: Math.max(over, answeredAt + talk) })
  for (const r of recordings) {
    if (r.call_sid !== leg.call_sid || r.recording_sid === null || !r.duration) continue
    const at = (ms(r.started_at) - start) / 1000
    const from = Number.isFinite(at) ? Math.max(0, at) : answeredAt
    parts.push({ kind: 'recorded', from, to: from + r.duration })
  }
  return parts
}

/** `legs`: a call's, in any order; `recordings`: of all of them. */
export function timelineOf(legs: readonly Call[], recordings: readonly Recording[]): Timeline | null {
  const known = legs.filter((leg) => Number.isFinite(ms(leg.started_at)))
  if (known.length === 0) return null
  const start = Math.min(...known.map((leg) => ms(leg.started_at)))
  const sorted = [...known].sort(
    (a, b) =>
      Number(a.parent_call_sid !== null) - Number(b.parent_call_sid !== null) || ms(a.started_at) - ms(b.started_at),
  )
  let talkedBefore = false
  const lines = sorted.map((leg) => {
    const parts = partsOf(leg, recordings, start)
    const answered = parts.some(({ kind }) => kind === 'talked')
    const transferred = leg.parent_call_sid !== null && answered && talkedBefore
    if (leg.parent_call_sid !== null) talkedBefore ||= answered
    return { leg, parts, answered, transferred }
  })
  const seconds = Math.max(1, ...lines.flatMap(({ parts }) => parts.map(({ to }) => to)))
  return { start, seconds, lines }
}
