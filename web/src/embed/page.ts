// The player alone: /embed/{recording_sid} with a signed URL's query, or by cookie. In a frame it is the player and nothing else;
// opened by itself it is a card that says who shares the recording, when it was, how long it is, and until when the link is good.
// Its own parameters, which are not signed: lang, t (where it begins), dir (inbound or outbound), swap (1 or 0: whether the sides are
// the other way).
import { clock, dateTime } from '../i18n/format'
import { directionOf, formatTag, languageOf } from '../i18n/language'
import './element'
import './page.css'
import type { Card } from '../api/types'
import { make } from '../player/parts'
import { cardFor } from './ask'
import { wordsFor } from './words'

const OWN = ['lang', 't', 'dir', 'swap']
const query = new URLSearchParams(location.search)
const language = languageOf(query.get('lang'))
document.documentElement.lang = language
document.documentElement.dir = directionOf(language)
const main = document.createElement('main')
const { say, error } = wordsFor(document.documentElement)
const framed = window.parent !== window

/** The stream's address, with the signed part of the page's. */
function streamOf(sid: string) {
  const signed = new URLSearchParams(query)
  for (const name of OWN) signed.delete(name)
  return new URL(`api/recordings/${sid}/stream${signed.size > 0 ? `?${signed}` : ''}`, document.baseURI).href
}

function playerOf(src: string) {
  const player = document.createElement('callreel-player')
  for (const [name, parameter] of [
    ['start', 't'],
    ['direction', 'dir'],
  ] as const) {
    const value = query.get(parameter)
    if (value !== null) player.setAttribute(name, value)
  }
  const swap = query.get('swap')
  if (swap !== null) player.setAttribute('swapped', String(swap === '1'))
  if (!framed) {
    player.setAttribute('large', '')
    player.setAttribute('eager', '')
  }
  player.setAttribute('src', src)
  return player
}

/** A text of any direction within one of the page's. */
const isolated = (text: string) => `\u2068${text}\u2069`

function factsOf(card: Card) {
  const tag = formatTag(language, navigator.languages)
  const facts = make('dl', { class: 'facts' })
  const fact = (name: string, value: string) =>
    facts.append(make('div', {}, make('dt', {}, name), make('dd', {}, value)))
  fact(say('sharedBy'), isolated(card.business_name))
  if (card.started_at) fact(say('recordedOn'), dateTime(tag, new Date(card.started_at)))
  if (card.duration !== null) fact(say('length'), clock(card.duration))
  if (card.expires_at) fact(say('linkUntil'), dateTime(tag, new Date(card.expires_at)))
  return facts
}

/** Filled when the service has described the recording. Without an answer the player stays, and says what is wrong. */
async function fill(place: HTMLElement, src: string) {
  const { card, problem } = await cardFor(src)
  if (problem === 'unauthorized' || problem === 'not_found') {
    const words = problem === 'unauthorized' && query.has('sig') ? say('noLongerValid') : error(problem)
    place.replaceChildren(make('p', { class: 'late', role: 'alert' }, words))
    return
  }
  const player = playerOf(src)
  if (card?.duration) player.setAttribute('duration', String(card.duration))
  place.replaceChildren(...(card ? [factsOf(card), player] : [player]))
}

function cardOf(src: string) {
  const brand = make('p', { class: 'brand' }, make('img', { class: 'mark', src: 'favicon.svg', alt: '' }), 'callreel')
  const place = make('div', { class: 'card-place' })
  void fill(place, src)
  return make('article', { class: 'card' }, brand, make('h1', {}, say('recording')), place)
}

const sid = /\/embed\/(RE[0-9a-f]{32})$/.exec(location.pathname)?.[1]
if (sid) {
  const src = streamOf(sid)
  if (framed) main.append(make('h1', { class: 'unseen' }, say('player')), playerOf(src))
  else main.append(cardOf(src))
}
document.documentElement.classList.toggle('alone', !framed)
document.title = say('recording')
document.body.append(main)
