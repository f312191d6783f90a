// The player alone, for a frame in somebody's page: /embed/{recording_sid} with a signed URL's query, or by cookie.
import { directionOf, languageOf } from '../i18n/language'
import './element'
import './page.css'
import { wordsFor } from './words'

const query = new URLSearchParams(location.search)
const language = languageOf(query.get('lang'))
document.documentElement.lang = language
document.documentElement.dir = directionOf(language)
const sid = /\/embed\/(RE[0-9a-f]{32})$/.exec(location.pathname)?.[1]
const player = document.createElement('callreel-player')
if (sid) player.setAttribute('src', new URL(`api/recordings/${sid}/stream${location.search}`, document.baseURI).href)
const main = document.createElement('main')
const title = document.createElement('h1')
title.textContent = wordsFor(main).say('player')
main.append(title, player)
document.body.append(main)
