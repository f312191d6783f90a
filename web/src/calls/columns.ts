// The columns of the list: those that can be chosen, in the order in which the reader wants them. Pure.

export const choosable = ['direction', 'agent', 'own', 'time', 'duration', 'tags', 'recording'] as const
export type Column = (typeof choosable)[number]
const usual: Column[] = ['direction', 'agent', 'time', 'duration', 'recording']

const widths: Record<Column, string> = {
  direction: 'minmax(0, var(--direction-column, 7.2rem))',
  agent: 'minmax(0, 0.7fr)',
  own: 'minmax(0, 0.9fr)',
  time: 'minmax(0, 5.4rem)',
  duration: 'minmax(0, 6.4rem)',
  tags: 'minmax(0, 0.8fr)',
  recording: 'minmax(0, 1.3fr)',
}

/** `chosen`: of the settings, null: nobody chose. An agent's column appears by itself only where there are agents. */
export function columnsOf(chosen: readonly string[] | null, hasAgents: boolean): Column[] {
  if (!chosen) return usual.filter((name) => name !== 'agent' || hasAgents)
  return choosable.filter((name) => chosen.includes(name)).sort((a, b) => chosen.indexOf(a) - chosen.indexOf(b))
}

export type Widths = Record<string, number>
const ANY_PX = 120 // of a column that was not there when the others got their widths

/** `sized`: the reader's widths, which share the room that there is; null: the usual widths. */
function widthOf(name: Column | 'who', sized: Widths | null): string {
  if (sized) return `minmax(0, ${sized[name] ?? ANY_PX}fr)`
  return name === 'who' ? 'minmax(0, 1.4fr)' : widths[name]
}

export const gridOf = (columns: readonly Column[], choosing: boolean, sized: Widths | null) =>
  [
    ...(choosing ? ['1.5rem'] : []),
    '34px',
    ...(['who', ...columns] as const).map((name) => widthOf(name, sized)),
    'minmax(0, 3.6rem)',
  ].join(' ')

export const LEAST_PX = 48

/** After the edge between two columns was moved. */
export function resized(before: Widths, name: string, next: string, by: number): Widths {
  const [a, b] = [before[name] ?? ANY_PX, before[next] ?? ANY_PX]
  const moved = Math.max(Math.min(0, LEAST_PX - a), Math.min(Math.max(0, b - LEAST_PX), by))
  return { ...before, [name]: a + moved, [next]: b - moved }
}

/** All columns, the chosen ones first and in their order. */
export const orderOf = (columns: readonly Column[]): Column[] => [
  ...columns,
  ...choosable.filter((name) => !columns.includes(name)),
]

export const withColumn = (columns: readonly Column[], name: Column, shown: boolean): Column[] =>
  shown ? [...columns.filter((one) => one !== name), name] : columns.filter((one) => one !== name)

export function movedColumn(columns: readonly Column[], name: Column, by: 1 | -1): Column[] {
  const at = columns.indexOf(name)
  const to = at + by
  if (at < 0 || to < 0 || to >= columns.length) return [...columns]
  const after = columns.filter((one) => one !== name)
  after.splice(to, 0, name)
  return after
}
