// Reads the server's peaks of a recording: the loudness of each channel at each point and in all, and the pauses.
import type { Waveform } from '../api/types'

export type Peaks = readonly Float32Array[]
export type Span = readonly [from: number, to: number]

const QUIET = 0.035 // of full scale; a line's hiss is below, a whisper above
const SILENCE_S = 1.6 // shorter pauses are part of speaking
const MARGIN_S = 0.3 // left at both ends, so that no syllable is cut
const SPEECH_LEVEL = 0.45 // the level to which even loudness brings speech
const GAIN_LEAST = 0.5
const GAIN_MOST = 8

/** For each channel the greatest excursion of each point, 0 to 1. */
export function peaksOf({ channels, length, data }: Waveform): Peaks {
  return Array.from({ length: Math.min(2, channels) }, (_, c) =>
    Float32Array.from({ length }, (_, i) => {
      const at = (i * channels + c) * 2
      return Math.max(Math.abs(data[at] ?? 0), Math.abs(data[at + 1] ?? 0)) / 128
    }),
  )
}

/** Seconds that the peaks stand for. */
export const secondsOf = ({ length, samples_per_pixel, sample_rate }: Waveform): number =>
  (length * samples_per_pixel) / sample_rate

/** One value for each of `bars`, the loudest of its points; 1 is the loudest of all. */
export function barsOf(points: Float32Array, bars: number, loudest: number): Float32Array {
  const scale = loudest > 0 ? 1 / loudest : 1
  return Float32Array.from({ length: bars }, (_, i) => {
    const from = Math.floor((i * points.length) / bars)
    const to = Math.max(from + 1, Math.floor(((i + 1) * points.length) / bars))
    let most = 0
    for (let at = from; at < to && at < points.length; at++) most = Math.max(most, points[at] ?? 0)
    return Math.min(1, most * scale)
  })
}

export const loudestOf = (peaks: Peaks): number =>
  peaks.reduce((most, points) => points.reduce((a, b) => Math.max(a, b), most), 0)

/** The stretches in which no channel is heard, in seconds, without the margins. */
export function silencesOf(peaks: Peaks, duration: number): Span[] {
  const length = peaks[0]?.length ?? 0
  const found: Span[] = []
  if (length === 0 || !(duration > 0)) return found
  const second = length / duration
  let began: number | null = null
  for (let i = 0; i <= length; i++) {
    const quiet = i < length && peaks.every((points) => (points[i] ?? 0) < QUIET)
    if (quiet) {
      began ??= i
      continue
    }
    if (began !== null && (i - began) / second >= SILENCE_S) {
      const from = began === 0 ? 0 : began / second + MARGIN_S
      found.push([from, i / second - MARGIN_S])
    }
    began = null
  }
  return found
}

/** Where to continue from `at`; null: somebody speaks there. */
export function afterSilence(silences: readonly Span[], at: number): number | null {
  const span = silences.find(([from, to]) => at >= from && at < to)
  return span ? span[1] : null
}

/** Each channel's share of the points at which somebody speaks, 0 to 1; none where nobody does. */
export function talkOf(peaks: Peaks): number[] {
  const spoken = peaks.map((points) => points.reduce((sum, point) => sum + (point >= QUIET ? 1 : 0), 0))
  const all = spoken.reduce((a, b) => a + b, 0)
  return all > 0 ? spoken.map((n) => n / all) : []
}

/** For each channel what its speech has to be multiplied with to be as loud as the others'. */
export function gainsOf(peaks: Peaks): number[] {
  return peaks.map((points) => {
    const spoken = points.filter((point) => point >= QUIET).sort()
    const level = spoken[Math.floor(spoken.length * 0.8)] ?? 0
    return level > 0 ? Math.min(GAIN_MOST, Math.max(GAIN_LEAST, SPEECH_LEVEL / level)) : 1
  })
}
