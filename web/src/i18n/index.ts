// Words of the pages, in the language that was chosen or that the browser asks for. Only that one is fetched.
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { settings } from '../app/settings'
import { directionOf, type Language, languageOf } from './language'

const words = { en: () => import('./en'), he: () => import('./he') }
const wanted = () => languageOf(settings.get().language)

function dress(language: string) {
  document.documentElement.lang = language
  document.documentElement.dir = directionOf(language)
  document.title = i18next.t('title')
}

async function learn(language: Language) {
  if (i18next.hasResourceBundle(language, 'app')) return
  const { app, errors, player } = await words[language]()
  for (const [name, bundle] of Object.entries({ app, errors, player }))
    i18next.addResourceBundle(language, name, bundle)
}

export async function startWords() {
  const language = wanted()
  const { app, errors, player } = await words[language]()
  await i18next.use(initReactI18next).init({
    lng: language,
    fallbackLng: false,
    defaultNS: 'app',
    resources: { [language]: { app, errors, player } },
    interpolation: { escapeValue: false },
    returnNull: false,
    showSupportNotice: false,
  })
  dress(language)
  settings.subscribe(async () => {
    const next = wanted()
    if (next === i18next.language) return
    await learn(next)
    if (next !== wanted()) return
    await i18next.changeLanguage(next)
    dress(next)
  })
}
