// Calls as a CSV file, in the columns and the form of GET /api/calls.csv. Pure.
import type { Call } from '../../api/types'

const texts = [
  'call_sid',
  'parent_call_sid',
  'started_at',
  'ended_at',
  'direction',
  'from',
  'to',
  'customer_number',
  'customer_name',
  'caller_name',
  'own_number',
  'agent',
  'status',
] as const

function row(call: Call): [string, unknown][] {
  const first = call.recordings[0]
  return [
    ...texts.map((name): [string, unknown] => [name, call[name]]),
    ['duration', call.duration],
    ['tags', call.tags.join(', ')],
    ['ref', call.ref],
    ['metadata', call.metadata && JSON.stringify(call.metadata)],
    ['recordings', call.recordings.length],
    ['recording_sid', first?.recording_sid],
    ['recording_status', first?.status],
    ['recording_duration', first?.duration === null || first === undefined ? null : Math.round(first.duration)],
  ]
}

/** A cell that a spreadsheet would take for a formula gets an apostrophe in front. */
function cell(value: unknown): string {
  const text = String(value ?? '')
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

export function csvOf(calls: readonly Call[]): string {
  const rows = calls.map(row)
  const head = rows[0]?.map(([name]) => name) ?? []
  return `\ufeff${[head, ...rows.map((cells) => cells.map(([, value]) => value))]
    .map((cells) => `${cells.map(cell).join(',')}\r\n`)
    .join('')}`
}
