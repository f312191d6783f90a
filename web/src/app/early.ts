// What is asked for before the rest of the script is here. Whoever needs it takes it, once.
import { type Language, languageOf } from '../i18n/language'
import type { Bundles } from '../i18n/lookup'
import { recall } from './kept'

export const loadWords: Record<Language, () => Promise<Bundles>> = {
  en: () => import('../i18n/en'),
  he: () => import('../i18n/he'),
}

let session: Promise<Response> | null = null

export function askEarly() {
  session = fetch('api/session?details=1', { headers: { Accept: 'application/json' } })
  session.catch(() => undefined) // met by the one who takes it
  const { language } = recall<{ language?: string }>('settings', {})
  loadWords[languageOf(language)]().catch(() => undefined) // a module is fetched once
}

/** The answer of GET /api/session; null: it was taken. */
export function takeSession(): Promise<Response> | null {
  const asked = session
  session = null
  return asked
}
