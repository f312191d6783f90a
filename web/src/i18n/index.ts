// Words of the pages, in the language that was chosen or that the browser asks for. Only that one is fetched.
import { useMemo, useSyncExternalStore } from 'react'
import { loadWords } from '../app/early'
import { settings } from '../app/settings'
import { directionOf, type Language, languageOf } from './language'
import { type Bundles, lookUp, type Values, type Words } from './lookup'

/** The words of everything after the first page: the other pages and transcripts. */
const loadLater: Record<Language, () => Promise<{ pages: Words; transcript: Words }>> = {
  en: () => import('./en/later'),
  he: () => import('./he/later'),
}

const known = new Map<Language, Bundles>()
const plurals = new Map<Language, Intl.PluralRules>()
const listeners = new Set<() => void>()
let language: Language = 'en'
let wantsLater = false

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

async function learn(each: Language) {
  const first = known.get(each) ?? (await loadWords[each]())
  if (!known.has(each)) known.set(each, first)
  if (!wantsLater || known.get(each)?.transcript) return
  const { pages, transcript } = await loadLater[each]()
  known.set(each, { ...first, app: { ...first.app, ...pages }, transcript })
}

/** Resolves when the words of all pages are here. From then on they come with each language that is chosen. */
export async function learnAllWords() {
  wantsLater = true
  await Promise.all([learn(language), learn(wanted())])
}

/** Loads a part of the page that needs more than the words of the first page. */
export const withAllWords =
  <T>(load: () => Promise<T>) =>
  async (): Promise<T> => {
    const [part] = await Promise.all([load(), learnAllWords()])
    return part
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
  await learn(begin).catch(() => learn(begin))
  speak(begin)
  settings.subscribe(async () => {
    const next = wanted()
    if (next === language) return
    await learn(next)
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
