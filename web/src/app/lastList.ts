// The list as it was left: its filters, so that every way back leads to them, its calls, so that one can go from one call to the
// next, and the call that was opened, so that the keyboard is there again. Of this tab; a reload keeps the filters.
import { useSyncExternalStore } from 'react'
import type { Call } from '../api/types'

const NAME = 'callreel.list'
const listeners = new Set<() => void>()
let search = read()
let calls: readonly Call[] = []
let opened: string | null = null

function read(): string {
  try {
    return sessionStorage.getItem(NAME) ?? ''
  } catch {
    return ''
  }
}

export const lastList = {
  /** `next`: the query of the address, "?status=busy" or "". */
  setSearch(next: string) {
    if (next === search) return
    search = next
    try {
      sessionStorage.setItem(NAME, next)
    } catch {
      // kept as long as the page then
    }
    for (const changed of listeners) changed()
  },
  setCalls(next: readonly Call[]) {
    calls = next
  },
  /** The calls before and after `sid`. */
  beside(sid: string): { previous: Call | null; next: Call | null } {
    const at = calls.findIndex((call) => call.call_sid === sid)
    return { previous: calls[at - 1] ?? null, next: at < 0 ? null : (calls[at + 1] ?? null) }
  },
  open(sid: string) {
    opened = sid
  },
  /** The call whose row had the keyboard; told once. */
  takeOpened(): string | null {
    const sid = opened
    opened = null
    return sid
  },
  forget() {
    calls = []
    opened = null
    lastList.setSearch('')
  },
}

const subscribe = (changed: () => void) => {
  listeners.add(changed)
  return () => {
    listeners.delete(changed)
  }
}

/** The address of the list, with the filters that were set. */
export const useListPath = () => useSyncExternalStore(subscribe, () => `/${search}`)
