// Words of the pages, in the language that was chosen or that the browser asks for.
import i18next from 'i18next'
import { initReactI18next } from 'react-i18next'
import { settings } from '../app/settings'
import enApp from './en/app.json'
import enErrors from './en/errors.json'
import enPlayer from './en/player.json'
import heApp from './he/app.json'
import heErrors from './he/errors.json'
import hePlayer from './he/player.json'
import { directionOf, languageOf } from './language'

function dress(language: string) {
  document.documentElement.lang = language
  document.documentElement.dir = directionOf(language)
  document.title = i18next.t('title')
}

export async function startWords() {
  await i18next.use(initReactI18next).init({
    lng: languageOf(settings.get().language),
    fallbackLng: 'en',
    defaultNS: 'app',
    ns: ['app', 'errors', 'player'],
    resources: {
      en: { app: enApp, errors: enErrors, player: enPlayer },
      he: { app: heApp, errors: heErrors, player: hePlayer },
    },
    interpolation: { escapeValue: false },
    returnNull: false,
  })
  dress(i18next.language)
  settings.subscribe(() => {
    const wanted = languageOf(settings.get().language)
    if (wanted !== i18next.language) void i18next.changeLanguage(wanted).then(() => dress(wanted))
  })
}
