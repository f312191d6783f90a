// The settings that the reader chose: language, appearance, shortcuts. All tabs share them through the browser's storage.
import { useSyncExternalStore } from 'react'
import type { Language } from '../i18n/language'
import { keep, recall } from './kept'

export type Theme = 'auto' | 'light' | 'dark'
export type Clock = 'auto' | '24' | '12' // hours of a day
export interface Settings {
  language: Language | null
  theme: Theme
  clock: Clock
  shortcuts: boolean
  columns: string[] | null // of the list, in their order; null: nobody chose
  widths: Record<string, number> | null // of the columns, beside each other; null: nobody changed them
  dense: boolean // rows of one line
  me: string // the agent that the reader is; empty: not told
}

const atFirst: Settings = {
  language: null,
  theme: 'auto',
  clock: 'auto',
  shortcuts: true,
  columns: null,
  widths: null,
  dense: false,
  me: '',
}
let now: Settings = { ...atFirst, ...recall<Partial<Settings>>('settings', {}) }
const listeners = new Set<() => void>()

function dress() {
  if (now.theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = now.theme
}

function become(next: Settings) {
  now = next
  dress()
  for (const tell of listeners) tell()
}

dress()
window.addEventListener('storage', (event) => {
  if (event.key === 'callreel.settings') become({ ...atFirst, ...recall<Partial<Settings>>('settings', {}) })
})

export const settings = {
  get: () => now,
  set(change: Partial<Settings>) {
    become({ ...now, ...change })
    keep('settings', now)
  },
  subscribe(tell: () => void) {
    listeners.add(tell)
    return () => {
      listeners.delete(tell)
    }
  },
}

export const useSettings = () => useSyncExternalStore(settings.subscribe, settings.get)
