// The names and values of the filters, as they stand in the address.
export const names = [
  'q',
  'direction',
  'recording',
  'status',
  'has',
  'date',
  'from',
  'to',
  'agent',
  'own',
  'tag',
  'min',
  'max',
  'sort',
] as const
export type FilterName = (typeof names)[number]
export type Filters = Record<FilterName, string>

export const outcomes = [
  'completed',
  'in-progress',
  'no-answer',
  'busy',
  'failed',
  'canceled',
  'ringing',
  'queued',
  'initiated',
]
export const states = ['ready', 'downloading', 'queued', 'missing', 'failed', 'expired']
export const presets = ['today', 'yesterday', 'week', 'month']
export const sorts = ['started_at', '-duration', 'duration'] as const // the newest first is no value
export type Sort = (typeof sorts)[number]
