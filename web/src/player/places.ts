// The place at which each recording was left, and which were heard to the end. This browser stores the latest of them.
import { keep, recall } from '../app/kept'

const NAME = 'places'
const MOST = 400
const WORTH_S = 3 // nearer to the beginning than that, one begins at the beginning

type Place = readonly [at: number, heard: 0 | 1, kept: number]
type Places = Record<string, Place>

/** Heard, where no more than a good-bye is left. */
export const isHeard = (at: number, duration: number | null): boolean =>
  duration !== null && duration > 0 && at >= duration - Math.min(duration * 0.1, Math.max(1, duration * 0.05))

/** The places after one more; the oldest go first. Pure. */
export function placesAfter(places: Places, key: string, at: number, duration: number | null, now: number): Places {
  const over = isHeard(at, duration)
  const heard = over || places[key]?.[1] === 1 ? 1 : 0
  const after: Places = { ...places, [key]: [over || at < WORTH_S ? 0 : Math.round(at * 10) / 10, heard, now] }
  const keys = Object.keys(after)
  if (keys.length <= MOST) return after
  const oldest = keys.sort((a, b) => (after[a]?.[2] ?? 0) - (after[b]?.[2] ?? 0)).slice(0, keys.length - MOST)
  for (const one of oldest) delete after[one]
  return after
}

let now: Places = read()
const listeners = new Set<() => void>()

function read(): Places {
  const kept = recall<unknown>(NAME, {})
  if (!kept || typeof kept !== 'object') return {}
  return Object.fromEntries(
    Object.entries(kept).filter(([, place]) => Array.isArray(place) && Number.isFinite(place[0])),
  ) as Places
}

if (typeof window !== 'undefined')
  window.addEventListener('storage', (event) => {
    if (event.key !== `callreel.${NAME}`) return
    now = read()
    for (const changed of listeners) changed()
  })

export const places = {
  of: (key: string): number => now[key]?.[0] ?? 0,
  heard: (key: string): boolean => now[key]?.[1] === 1,
  save(key: string, at: number, duration: number | null) {
    const before = now[key]?.[1]
    now = placesAfter(now, key, at, duration, Date.now())
    keep(NAME, now)
    if (now[key]?.[1] !== before) for (const changed of listeners) changed()
  },
  subscribe(changed: () => void) {
    listeners.add(changed)
    return () => {
      listeners.delete(changed)
    }
  },
}
