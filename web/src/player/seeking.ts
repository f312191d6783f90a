// A pointer on the seek bar. Pure: what the bar shows, and when it seeks.
//
//   idle -down-> dragging -move-> dragging -up-> idle, and seeks
//                    |
//                    +-- cancel (the browser took the touch, Escape) --> idle, and does not

export type Seeking = { kind: 'idle' } | { kind: 'dragging'; pointer: number; at: number }
export type PointerStep =
  | { type: 'down' | 'move' | 'up'; pointer: number; at: number }
  | { type: 'cancel'; pointer?: number }

export const idle: Seeking = { kind: 'idle' }

/** The second under `x`; time runs from left to right in every language. */
export function timeAt(x: number, bar: { left: number; width: number }, length: number): number {
  if (bar.width <= 0 || !(length > 0)) return 0
  return Math.min(1, Math.max(0, (x - bar.left) / bar.width)) * length
}

/** `seek`: where to play from now on; null: nowhere else. */
export function seekingAfter(now: Seeking, step: PointerStep): { next: Seeking; seek: number | null } {
  const still = { next: now, seek: null }
  if (now.kind === 'idle')
    return step.type === 'down' ? { next: { kind: 'dragging', pointer: step.pointer, at: step.at }, seek: null } : still
  if (step.pointer !== undefined && step.pointer !== now.pointer) return still // a second finger
  switch (step.type) {
    case 'move':
      return { next: { ...now, at: step.at }, seek: null }
    case 'up':
      return { next: idle, seek: step.at }
    case 'cancel':
      return { next: idle, seek: null }
    case 'down':
      return still
  }
}

const STEPS: Record<string, number> = {
  ArrowLeft: -5,
  ArrowDown: -5,
  ArrowRight: 5,
  ArrowUp: 5,
  PageDown: -30,
  PageUp: 30,
}

/** The place to which a key on the bar leads; null: not a key of the bar. */
export function timeByKey(key: string, now: number, length: number): number | null {
  if (key === 'Home') return 0
  if (key === 'End') return length
  const step = STEPS[key]
  return step === undefined ? null : Math.min(length, Math.max(0, now + step))
}
