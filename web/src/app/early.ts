// Requests that are sent before the rest of the script is loaded. A component takes an answer, once.
import { firstOf, queryOf, readFilters } from '../calls/query'
import { type Language, languageOf } from '../i18n/language'
import type { Bundles } from '../i18n/lookup'
import { recall } from './kept'

export const loadWords: Record<Language, () => Promise<Bundles>> = {
  en: () => import('../i18n/en'),
  he: () => import('../i18n/he'),
}

const LIST_MS = 10_000 // an older answer is not used: it is asked for again

let session: Promise<Response> | null = null
let list: { query: string; answer: Promise<Response>; at: number } | null = null

export function askEarly() {
  const headers = { Accept: 'application/json' }
  session = fetch('api/session?details=1', { headers })
  session.catch(() => undefined) // handled by the component that takes it
  const { language } = recall<{ language?: string }>('settings', {})
  loadWords[languageOf(language)]().catch(() => undefined) // a module is fetched once
  if (location.pathname !== new URL(document.baseURI).pathname) return
  const query = firstOf(queryOf(readFilters(new URLSearchParams(location.search)))).toString()
  const answer = fetch(`api/calls?${query}`, { headers })
  list = { query, answer, at: performance.now() }
  const drop = () => {
    list = null
  }
  answer.then(({ ok }) => ok || drop(), drop) // nobody is signed in, or nothing answers: the component that needs it asks
}

/** The answer of GET /api/session; null: it was taken. */
export function takeSession(): Promise<Response> | null {
  const asked = session
  session = null
  return asked
}

/** The answer of GET /api/calls, where it was the same query and is no error; null: it has to be asked. */
export async function takeList(query: URLSearchParams): Promise<Response | null> {
  const asked = list
  list = null
  if (!asked || asked.query !== query.toString() || performance.now() - asked.at > LIST_MS) return null
  const answer = await asked.answer.catch(() => null)
  return answer?.ok ? answer : null
}

/** The change up to which the early list was read; '': it is not known. Null: there is no early list, or it was taken. */
export function changeOfList(): Promise<string> | null {
  if (!list) return null
  return list.answer.then(
    (answer) => answer.headers.get('Callreel-Change') ?? '',
    () => '',
  )
}
