export type Language = 'en' | 'he'
export const languages: { code: Language; name: string }[] = [
  { code: 'en', name: 'English' },
  { code: 'he', name: 'עברית' },
]

/** The chosen one, else the first of the browser's that we speak. */
export function languageOf(chosen: string | null | undefined): Language {
  for (const tag of [chosen, ...navigator.languages]) {
    const code = tag?.toLowerCase().split('-')[0]
    if (code === 'he' || code === 'iw') return 'he'
    if (code === 'en') return 'en'
  }
  return 'en'
}

export const directionOf = (language: string) => (language === 'he' ? 'rtl' : 'ltr')
