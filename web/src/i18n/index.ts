// Words of the pages, in the language that was chosen or that the browser asks for. Only that one is fetched.
import { useMemo, useSyncExternalStore } from 'react'
import { loadWords } from '../app/early'
import { settings } from '../app/settings'
import { directionOf, type Language, languageOf } from './language'
import { type Bundles, lookUp, type Values, type Words } from './lookup'

const known = new Map<Language, Bundles>()
const later = { en: {}, he: {} } as Record<Language, Record<string, Words>>
const plurals = new Map<Language, Intl.PluralRules>()
const listeners = new Set<() => void>()
let language: Language = 'en'

const wanted = () => languageOf(settings.get().language)

function plural(n: number): string {
  let rules = plurals.get(language)
  if (!rules) {
    rules = new Intl.PluralRules(language)
    plurals.set(language, rules)
  }
  return rules.select(n)
}

/** Words outside of components. */
export const words = (key: string, values?: Values, files: readonly string[] = ['app']) =>
  lookUp(known.get(language) ?? {}, files, plural, key, values)

/** Words that come with a part of the page that is loaded when it is needed. */
export function addWords(file: string, of: Record<Language, Words>) {
  for (const each of ['en', 'he'] as const) {
    later[each][file] = of[each]
    know(each, known.get(each))
  }
}

function know(each: Language, bundles: Bundles | undefined) {
  if (bundles) known.set(each, { ...bundles, ...later[each] })
}

function speak(next: Language) {
  language = next
  document.documentElement.lang = next
  document.documentElement.dir = directionOf(next)
  document.title = words('title')
  for (const changed of listeners) changed()
}

export async function startWords() {
  const begin = wanted()
  know(begin, await loadWords[begin]().catch(() => loadWords[begin]()))
  speak(begin)
  settings.subscribe(async () => {
    const next = wanted()
    if (next === language) return
    if (!known.has(next)) know(next, await loadWords[next]())
    if (next === wanted()) speak(next)
  })
}

const subscribe = (changed: () => void) => {
  listeners.add(changed)
  return () => {
    listeners.delete(changed)
  }
}

export type Translate = (key: string, values?: Values) => string

/** `files`: where keys without a file are looked up. */
export function useTranslation(files: string | readonly string[] = 'app') {
  const now = useSyncExternalStore(subscribe, () => language)
  const names = typeof files === 'string' ? files : files.join(' ')
  return useMemo(() => {
    const places = names.split(' ')
    const t: Translate = (key, values) => words(key, values, places)
    return { t, language: now, direction: directionOf(now) }
  }, [names, now])
}
