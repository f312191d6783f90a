// Times the words of a segment after somebody corrected it: words that stay keep their times, new ones share the time between. Pure.
import type { TranscriptSegment, TranscriptWord } from '../api/types'

const MOST = 400 // words of a segment that are compared; in longer ones all words get new times

export const wordsIn = (text: string): string[] => text.split(/\s+/).filter(Boolean)

/** For each of `after` the word of `before` that it is, -1: none; both in order, as many as can be. */
function kept(before: readonly string[], after: readonly string[]): number[] {
  const [n, m] = [before.length, after.length]
  if (n > MOST || m > MOST) return after.map(() => -1)
  const row = m + 1
  const longest = new Uint16Array((n + 1) * row)
  const at = (i: number, j: number) => longest[i * row + j] ?? 0
  for (let i = n - 1; i >= 0; i--)
    for (let j = m - 1; j >= 0; j--)
      longest[i * row + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1))
  const found = after.map(() => -1)
  for (let i = 0, j = 0; i < n && j < m; ) {
    if (before[i] === after[j]) found[j++] = i++
    else if (at(i + 1, j) >= at(i, j + 1)) i++
    else j++
  }
  return found
}

const rounded = (seconds: number) => Math.round(seconds * 1000) / 1000

/** The segment with another text. Its words are null where they were. */
export function rewritten(segment: TranscriptSegment, text: string): TranscriptSegment {
  const written = wordsIn(text)
  const next = { ...segment, text: written.join(' '), confidence: null }
  const old = segment.words
  if (!old || written.length === 0) return { ...next, words: old && [] }
  const same = kept(
    old.map(({ word }) => word.trim()),
    written,
  )
  const words: TranscriptWord[] = []
  let j = 0
  while (j < written.length) {
    const stays = old[same[j] ?? -1]
    if (stays) {
      words.push({ ...stays, word: written[j] ?? '' })
      j++
      continue
    }
    let to = j
    while (to < written.length && (same[to] ?? -1) < 0) to++
    const from = words.at(-1)?.end ?? segment.start
    const until = Math.max(from, old[same[to] ?? -1]?.start ?? segment.end)
    const each = (until - from) / (to - j)
    for (let k = 0; j < to; j++, k++)
      words.push({
        word: written[j] ?? '',
        start: rounded(from + k * each),
        end: rounded(from + (k + 1) * each),
        confidence: null,
      })
  }
  return { ...next, words }
}
