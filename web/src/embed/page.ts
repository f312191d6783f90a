// The player alone: /embed/{recording_sid} with a signed URL's query, or by cookie. In a frame it is the player and nothing else;
// opened by itself it is a card that says what it is and until when the link is good. Its own parameters, which are not signed:
// lang, t (where it begins), at (when the call was, seconds since 1970), dir (inbound or outbound).
import { clock, dateTime } from '../i18n/format'
import { directionOf, languageOf } from '../i18n/language'
import './element'
import './page.css'
import { make } from '../player/parts'
import { wordsFor } from './words'

const OWN = ['lang', 't', 'at', 'dir']
const query = new URLSearchParams(location.search)
const language = languageOf(query.get('lang'))
document.documentElement.lang = language
document.documentElement.dir = directionOf(language)
const main = document.createElement('main')
const { say } = wordsFor(document.documentElement)
const framed = window.parent !== window

/** The element, given the signed part of the address alone. */
function playerOf(sid: string) {
  const signed = new URLSearchParams(query)
  for (const name of OWN) signed.delete(name)
  const search = signed.size > 0 ? `?${signed}` : ''
  const player = document.createElement('callreel-player')
  for (const [name, parameter] of [
    ['start', 't'],
    ['direction', 'dir'],
  ] as const) {
    const value = query.get(parameter)
    if (value !== null) player.setAttribute(name, value)
  }
  if (!framed) {
    player.setAttribute('large', '')
    player.setAttribute('eager', '')
  }
  player.setAttribute('src', new URL(`api/recordings/${sid}/stream${search}`, document.baseURI).href)
  return player
}

/** A moment of a parameter in seconds since 1970; null: none that can be one. */
function momentOf(name: string): Date | null {
  const text = query.get(name)
  return text && /^\d{9,11}$/.test(text) ? new Date(Number(text) * 1000) : null
}

function cardOf(player: HTMLElement) {
  const facts = make('dl', { class: 'facts' })
  const fact = (name: string, value: string) =>
    facts.append(make('div', {}, make('dt', {}, name), make('dd', {}, value)))
  const at = momentOf('at')
  if (at) fact(say('recordedOn'), dateTime(language, at))
  player.addEventListener('callreel-drawn', (event) => {
    const { seconds } = (event as CustomEvent<{ seconds: number }>).detail
    fact(say('length'), clock(seconds))
  })
  const until = momentOf('exp')
  const late = until !== null && until.getTime() < Date.now()
  const words = until ? (late ? say('noLongerValid') : say('validUntil', { when: dateTime(language, until) })) : ''
  const end = make('p', { class: late ? 'until late' : 'until' }, words)
  const brand = make('p', { class: 'brand' }, make('img', { class: 'mark', src: 'favicon.svg', alt: '' }), 'callreel')
  return make('article', { class: 'card' }, brand, make('h1', {}, say('recording')), facts, player, end)
}

const sid = /\/embed\/(RE[0-9a-f]{32})$/.exec(location.pathname)?.[1]
if (sid) {
  const player = playerOf(sid)
  if (framed) main.append(make('h1', { class: 'unseen' }, say('player')), player)
  else main.append(cardOf(player))
}
document.documentElement.classList.toggle('alone', !framed)
document.title = say('recording')
document.body.append(main)
