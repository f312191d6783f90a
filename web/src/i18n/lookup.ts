// Finds words by their key and fills their blanks. Pure. The words are JSON: {"calls": {"found_one": "{{count}} call"}}.

export type Words = { readonly [name: string]: string | Words }
export type Bundles = Readonly<Record<string, Words>> // by the name of their file: app, errors, player
export interface Values {
  count?: number // chooses the plural: KEY_one, KEY_two, KEY_other
  defaultValue?: string // where there are no such words
  [blank: string]: unknown
}

function find(words: Words | undefined, key: string): string | undefined {
  let at: string | Words | undefined = words
  for (const name of key.split('.')) {
    if (typeof at !== 'object') return undefined
    at = at[name]
  }
  return typeof at === 'string' ? at : undefined
}

const fill = (text: string, values: Values) =>
  text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name] ?? ''))

/** `key` is "path.of.words", sought in `files` in their order, or "file:path.of.words". */
export function lookUp(
  bundles: Bundles,
  files: readonly string[],
  plural: (n: number) => string,
  key: string,
  values: Values = {},
): string {
  const colon = key.indexOf(':')
  const places = colon < 0 ? files : [key.slice(0, colon)]
  const path = key.slice(colon + 1)
  for (const file of places) {
    const counted = values.count === undefined ? undefined : find(bundles[file], `${path}_${plural(values.count)}`)
    const text = counted ?? (values.count === undefined ? undefined : find(bundles[file], `${path}_other`))
    const found = text ?? find(bundles[file], path)
    if (found !== undefined) return fill(found, values)
  }
  return values.defaultValue ?? key
}
