// Languages that a business may choose for its transcripts. Pure.

/** Those that people choose most, where calls are recorded; any other can be set by the API and on the command line. */
export const languageChoices: readonly string[] = [
  'he',
  'en',
  'ar',
  'ru',
  'fr',
  'es',
  'de',
  'it',
  'pt',
  'nl',
  'pl',
  'uk',
  'ro',
  'tr',
  'am',
  'hi',
]

export const isLanguage = (text: string) => text === 'auto' || /^[A-Za-z]{2,8}(-[A-Za-z]{2,8})?$/.test(text)

/** In the reader's language; the code where it has no name. */
export function languageName(tag: string, code: string): string {
  try {
    return new Intl.DisplayNames(tag, { type: 'language' }).of(code) ?? code
  } catch {
    return code
  }
}

export const bytesOf = (text: string) => new TextEncoder().encode(text).length
