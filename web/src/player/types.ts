// The recordings that the player plays, and their states.
import type { Listening } from './listening'

export type Phase = 'empty' | 'starting' | 'playing' | 'paused' | 'buffering' | 'waiting' | 'failed' | 'ended'
export interface Track {
  key: string
  src: string
  duration: number | null
}
export interface Trouble {
  code: string
  retryAt: string | null
}
/** `here`: it can be loaded; `whole`: all of it is there, so if it does not load, the browser is the cause. */
export type Answer =
  | { kind: 'here'; whole: boolean; retryAfter: number | null }
  | { kind: 'coming'; retryAfter: number | null }
  | ({ kind: 'trouble' } & Trouble)
export interface PlayerState {
  track: Track | null
  phase: Phase
  time: number
  duration: number | null
  buffered: readonly (readonly [number, number])[]
  rate: number
  volume: number
  muted: boolean
  trouble: Trouble | null
  listening: Listening
}
