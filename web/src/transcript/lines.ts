// A transcript line by line: segments with the places of their words, and gaps where something is missing. Pure.
import type { TranscriptSegment, TranscriptWord } from '../api/types'

/** A word, or the whole line where the engine knows no words: where it stands in the text, and when it is heard. */
export interface Word {
  from: number // UTF-16 offsets, as strings count
  to: number
  start: number // s
  end: number
}
export interface SaidLine {
  kind: 'said'
  at: number // its segment's index
  segment: TranscriptSegment
  words: readonly Word[]
  start: number
  end: number
}
export interface GapLine {
  kind: 'gap'
  start: number
  end: number
  reason: string
}
export type Line = SaidLine | GapLine

/** The places of `words` in `text`, in their order; a word that is not found there is left out. */
export function placesOf(text: string, words: readonly TranscriptWord[]): Word[] {
  const placed: Word[] = []
  let at = 0
  for (const { word, start, end } of words) {
    const plain = word.trim()
    const from = plain ? text.indexOf(plain, at) : -1
    if (from < 0) continue
    at = from + plain.length
    placed.push({ from, to: at, start, end })
  }
  return placed
}

function wordsOf({ text, words, start, end }: TranscriptSegment): Word[] {
  const placed = words ? placesOf(text, words) : []
  return placed.length > 0 ? placed : [{ from: 0, to: text.length, start, end }]
}

interface Said {
  segments: readonly TranscriptSegment[]
  gaps: readonly { start: number; end: number; reason: string }[]
}

/** In order of time. */
export function linesOf({ segments, gaps }: Said): Line[] {
  const said = segments.map((segment, at): Line => {
    const { start, end } = segment
    return { kind: 'said', at, segment, words: wordsOf(segment), start, end }
  })
  const missing = gaps.map(({ start, end, reason }): Line => ({ kind: 'gap', start, end, reason }))
  return [...said, ...missing].sort((a, b) => a.start - b.start)
}

/** The last of `sorted` that has begun at `t`; -1: none. */
export function lastBegun(sorted: readonly { start: number }[], t: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle]?.start ?? 0) <= t) low = middle + 1
    else high = middle
  }
  return low - 1
}

export interface Heard {
  line: number
  word: number
}
const LINGER_S = 0.6 // the newest line stays marked over a short pause
const LOOK_BACK = 12 // lines that may still be heard while later ones have begun: people talk over each other

/** The words that are heard at `t`, the newest line's first: of several lines where several speak. */
export function heardAt(lines: readonly Line[], t: number): Heard[] {
  const heard: Heard[] = []
  const last = lastBegun(lines, t)
  for (let i = last; i >= 0 && i > last - LOOK_BACK; i--) {
    const line = lines[i]
    if (line?.kind !== 'said' || t >= line.end + (heard.length === 0 && i === last ? LINGER_S : 0)) continue
    const word = lastBegun(line.words, t)
    if (word >= 0) heard.push({ line: i, word })
  }
  return heard
}

/** A stretch of a line's text: of which word (-1: between words), and which of the places that were found (-1: none). */
export interface Part {
  text: string
  word: number
  found: number
}

/** The text in parts. `words`, and `found`, are in order and do not overlap. */
export function partsOf(text: string, words: readonly Word[], found: readonly { from: number; to: number }[]): Part[] {
  const ends = [0, text.length, ...[...words, ...found].flatMap(({ from, to }) => [from, to])]
  const cuts = [...new Set(ends)].filter((at) => at >= 0 && at <= text.length).sort((a, b) => a - b)
  const within = (spans: readonly { from: number; to: number }[], at: number) =>
    spans.findIndex(({ from, to }) => at >= from && at < to)
  return cuts.slice(0, -1).map((from, i) => ({
    text: text.slice(from, cuts[i + 1]),
    word: within(words, from),
    found: within(found, from),
  }))
}

/** The line at `t`: the one that is spoken, otherwise the last one before. */
export const lineAt = (lines: readonly Line[], t: number): number => Math.max(0, lastBegun(lines, t))

/** Whether a text is read from the right: by its first letter that has a direction, as `dir="auto"` finds it. */
export const isFromRight = (text: string): boolean => {
  const strong = /[\p{L}]/u.exec(text)?.[0]
  return strong !== undefined && /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}]/u.test(strong)
}

/** The text for a file or a message: each line with its time and speaker. */
export function plainText(lines: readonly Line[], nameOf: (speaker: string) => string, clock: (s: number) => string) {
  return lines
    .filter((line) => line.kind === 'said')
    .map(({ segment: { start, speaker, text } }) => {
      const who = speaker === null ? '' : `${nameOf(speaker)}: `
      return `[${clock(start)}] ${who}${text}`
    })
    .join('\n')
}
