// How somebody likes to listen: switches that are kept in this browser.
import { keep, recall } from '../app/kept'

/** `side`: which party alone is heard, by its role; null: both. */
export interface Listening {
  skipSilence: boolean
  evenLoudness: boolean
  side: Role | null
  onward: boolean // the next call begins by itself
}
export type Role = 'customer' | 'agent' | 'first' | 'second'

const atFirst: Listening = { skipSilence: false, evenLoudness: false, side: null, onward: false }

export function recallListening(): Listening {
  const kept = recall<Partial<Listening> | null>('listening', null) ?? {}
  return {
    skipSilence: kept.skipSilence === true,
    evenLoudness: kept.evenLoudness === true,
    side: ['customer', 'agent', 'first', 'second'].includes(kept.side ?? '') ? (kept.side as Role) : null,
    onward: kept.onward === true,
  }
}

export const keepListening = (listening: Listening) => keep('listening', listening)
export const plainListening = atFirst

/** Who is on which channel: the first is the caller's. */
export function rolesOf(direction: string | null | undefined): readonly [Role, Role] {
  if (direction === 'inbound') return ['customer', 'agent']
  if (direction === 'outbound') return ['agent', 'customer']
  return ['first', 'second']
}
