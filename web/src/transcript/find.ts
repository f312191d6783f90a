// Finds text in a transcript as the server's search does: without case, accents, niqqud, apostrophes and the forms of final letters. Pure.
import type { Line } from './lines'

export interface Folded {
  text: string
  source: string
  at: readonly number[] // for each UTF-16 unit of `text` where it stood; one more for the end
}

const finals: Record<string, string> = { ך: 'כ', ם: 'מ', ן: 'נ', ף: 'פ', ץ: 'צ' }
const dropped = /^[\p{M}'’‘`"״׳”“\u200e\u200f\u202a-\u202e\u2066-\u2069]$/u
const quotes = /^['’‘`"״׳”“]$/
const hyphens = /^[-־‐‑–—]$/

/** A text in the form in which a search compares it. */
export function fold(text: string): Folded {
  let folded = ''
  const at: number[] = []
  let place = 0
  for (const letter of text) {
    for (const part of letter.normalize('NFKD').toLowerCase())
      if (!dropped.test(part)) {
        const plain = hyphens.test(part) ? ' ' : (finals[part] ?? part)
        folded += plain
        for (let i = 0; i < plain.length; i++) at.push(place)
      }
    place += letter.length
  }
  at.push(text.length)
  return { text: folded, source: text, at }
}

export interface Found {
  line: number
  from: number // UTF-16 offsets in the text of the line
  to: number
}
const MOST = 5000

/** The end of a match in the source: with its marks, without quotes behind it. */
function endOf({ source, at }: Folded, from: number, to: number): number {
  let end = at[to] ?? source.length
  while (end > (at[from] ?? 0) + 1 && quotes.test(source[end - 1] ?? '')) end--
  return end
}

/** `folded`: of each line, null for gaps. */
export function findAll(folded: readonly (Folded | null)[], query: string): Found[] {
  const wanted = fold(query.trim()).text
  const found: Found[] = []
  if (!wanted) return found
  folded.forEach((it, line) => {
    if (!it) return
    for (let i = it.text.indexOf(wanted); i >= 0 && found.length < MOST; i = it.text.indexOf(wanted, i + wanted.length))
      found.push({ line, from: it.at[i] ?? 0, to: endOf(it, i, i + wanted.length) })
  })
  return found
}

export const foldLines = (lines: readonly Line[]): (Folded | null)[] =>
  lines.map((line) => (line.kind === 'said' ? fold(line.segment.text) : null))

/** A text in parts, marked or not. `at`: from and to in code points, in order, as the API tells them. */
export function markedParts(text: string, at: readonly (readonly number[])[]): { text: string; marked: boolean }[] {
  const letters = [...text]
  const parts: { text: string; marked: boolean }[] = []
  const add = (from: number, to: number, marked: boolean) => {
    if (to > from) parts.push({ text: letters.slice(from, to).join(''), marked })
  }
  let done = 0
  for (const [from = 0, to = 0] of at) {
    if (from < done || to <= from || to > letters.length) continue
    add(done, from, false)
    add(from, to, true)
    done = to
  }
  add(done, letters.length, false)
  return parts
}
