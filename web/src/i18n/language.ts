export type Language = 'en' | 'he'
export const languages: { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'he', name: 'עברית' },
]

/** The chosen one, else the first of the browser's that we speak. */
export function languageOf(
  chosen: string | null | undefined,
  browser: readonly string[] = navigator.languages,
): Language {
  for (const tag of [chosen, ...browser]) {
    const code = tag?.toLowerCase().split('-')[0]
    if (code === 'he' || code === 'iw') return 'he'
    if (code === 'en') return 'en'
  }
  return 'en'
}

export const directionOf = (language: string) => (language === 'he' ? 'rtl' : 'ltr')

/**
 * The tag by which dates and numbers are written: the browser's own tag of the language (en-GB, en-IL), if it has one. English without
 * a region is written as internationally, not as in the United States. `clock`: hours of a day, if the reader chose.
 */
export function formatTag(
  language: Language,
  browser: readonly string[],
  clock: 'auto' | '24' | '12' = 'auto',
): string {
  const own = browser.find((tag) => tag.includes('-') && languageOf(tag, []) === language && isTag(tag))
  const region = browser.map((tag) => /-([A-Z]{2})\b/.exec(tag)?.[1]).find(Boolean)
  const tag = own ?? (language === 'he' ? 'he-IL' : region ? `en-${region}` : 'en-GB')
  return clock === 'auto' ? tag : new Intl.Locale(tag, { hourCycle: clock === '24' ? 'h23' : 'h12' }).toString()
}

function isTag(tag: string): boolean {
  try {
    return Intl.getCanonicalLocales(tag).length === 1
  } catch {
    return false
  }
}
