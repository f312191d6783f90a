// How the reader listens: switches that this browser stores.
import { keep, recall } from '../app/kept'

/** `side`: which party alone is heard, by its role; null: both. */
export interface Listening {
  skipSilence: boolean
  evenLoudness: boolean
  side: Role | null
  onward: boolean // the next call begins by itself
  swapped: boolean // the agent is on the other channel than rolesOf says
}
export type Role = 'customer' | 'agent' | 'first' | 'second'

const atFirst: Listening = { skipSilence: false, evenLoudness: false, side: null, onward: false, swapped: false }

export function recallListening(): Listening {
  const kept = recall<Partial<Listening> | null>('listening', null) ?? {}
  return {
    skipSilence: kept.skipSilence === true,
    evenLoudness: kept.evenLoudness === true,
    side: ['customer', 'agent', 'first', 'second'].includes(kept.side ?? '') ? (kept.side as Role) : null,
    onward: kept.onward === true,
    swapped: kept.swapped === true,
  }
}

export const keepListening = (listening: Listening) => keep('listening', listening)
export const plainListening = atFirst

/** The role on each channel: the first is the caller's. `swapped`: some telephone systems record it the other way. */
export function rolesOf(direction: string | null | undefined, swapped = false): readonly [Role, Role] {
  if (direction !== 'inbound' && direction !== 'outbound') return ['first', 'second']
  return (direction === 'inbound') !== swapped ? ['customer', 'agent'] : ['agent', 'customer']
}

/** The colour of a role, 0 or 1: the customer's is the same in all calls. */
export const colourOfRole = (role: Role): 0 | 1 => (role === 'agent' || role === 'second' ? 1 : 0)
