// The speakers of a transcript: names, colours, channels. Pure.
import type { TranscriptSegment } from '../api/types'

export interface Speaker {
  name: string // as the segments have it
  colour: 0 | 1
  channel: number | null // on which it is heard most
}

const known: Record<string, 0 | 1> = { customer: 0, agent: 1, '1': 0, '2': 1 }

/** All of them, the first colour first. The customer's colour is the same in all calls. */
export function speakersOf(segments: readonly TranscriptSegment[]): Speaker[] {
  const heard = new Map<string, Map<number, number>>()
  for (const { speaker, channel, start, end } of segments) {
    if (speaker === null) continue
    const channels = heard.get(speaker) ?? new Map<number, number>()
    heard.set(speaker, channels)
    if (channel !== null) channels.set(channel, (channels.get(channel) ?? 0) + end - start)
  }
  const all = [...heard].map(([name, channels]) => {
    const [most] = [...channels].sort((a, b) => b[1] - a[1])
    return { name, channel: most?.[0] ?? null }
  })
  const taken = new Set(all.flatMap(({ name }) => known[name] ?? []))
  const colourOf = ({ name, channel }: { name: string; channel: number | null }, i: number): 0 | 1 => {
    const own = known[name]
    if (own !== undefined) return own
    if (taken.size === 1) return taken.has(0) ? 1 : 0
    return (channel ?? i) % 2 === 0 ? 0 : 1
  }
  return all.map((one, i) => ({ ...one, colour: colourOf(one, i) })).sort((a, b) => a.colour - b.colour)
}

/** The `speakers` of an edit that exchanges two of them. */
export const swapOf = (a: string, b: string) => ({ [a]: b, [b]: a })

/** The segments with other names, as the server will have them. */
export const renamed = (segments: readonly TranscriptSegment[], names: Record<string, string>): TranscriptSegment[] =>
  segments.map((one) => ({ ...one, speaker: one.speaker === null ? null : (names[one.speaker] ?? one.speaker) }))
