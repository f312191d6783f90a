// The states of the player, and the one function that changes them.
import type { Phase } from './types'

/** `begun`: the audio stalls at its very beginning; `halted`: the audio stopped by itself; `coming`: it is on its way. */
export type Happening =
  | 'open'
  | 'cue'
  | 'press'
  | 'playing'
  | 'begun'
  | 'stalled'
  | 'stop'
  | 'halted'
  | 'finished'
  | 'coming'
  | 'broken'
  | 'close'

type Moves = Partial<Record<Happening, Phase>>
const always: Moves = { open: 'starting', cue: 'paused', close: 'empty' }
const opened: Moves = {
  ...always,
  press: 'starting',
  playing: 'playing',
  begun: 'starting',
  stalled: 'buffering',
  stop: 'paused',
  halted: 'paused',
  finished: 'ended',
  coming: 'waiting',
  broken: 'failed',
}
const moves: Record<Phase, Moves> = {
  empty: always,
  starting: opened,
  playing: { ...opened, press: 'playing' },
  buffering: opened,
  paused: opened,
  // Ignores events of the browser while there is no audio.
  waiting: { ...opened, begun: 'waiting', stalled: 'waiting', halted: 'waiting' },
  failed: { ...opened, begun: 'failed', stalled: 'failed', halted: 'failed', stop: 'failed' },
  ended: { ...opened, stop: 'ended', halted: 'ended' },
}

export const phaseAfter = (phase: Phase, happening: Happening): Phase => moves[phase][happening] ?? phase

/** The button shows "pause": sound comes out, or is about to. */
export const isOn = (phase: Phase): boolean =>
  phase === 'playing' || phase === 'starting' || phase === 'buffering' || phase === 'waiting'
