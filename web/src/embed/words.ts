// The few words that the player alone needs. The same files as the pages'.
import enErrors from '../i18n/en/errors.json'
import enPlayer from '../i18n/en/player.json'
import heErrors from '../i18n/he/errors.json'
import hePlayer from '../i18n/he/player.json'
import { languageOf } from '../i18n/language'

const all = { en: { player: enPlayer, errors: enErrors }, he: { player: hePlayer, errors: heErrors } }

/** In the language of the element, else of its page, else of the browser. */
export function wordsFor(element: Element) {
  const words = all[languageOf(element.closest('[lang]')?.getAttribute('lang'))]
  const fill = (text: string, values: Record<string, string | number>) =>
    text.replace(/\{\{(\w+)\}\}/g, (_, name: string) => String(values[name] ?? ''))
  return {
    say: (key: keyof typeof enPlayer, values: Record<string, string | number> = {}) => fill(words.player[key], values),
    error: (code: string) => (words.errors as Record<string, string>)[code] ?? words.errors.internal,
  }
}
