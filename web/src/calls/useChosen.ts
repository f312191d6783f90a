// The calls that were chosen to do something to all of them.
import { useCallback, useEffect, useMemo, useRef, useState } from 'react'
import type { Call } from '../api/types'

export interface Chosen {
  calls: readonly Call[] | null // null: no calls are being chosen
  has: (sid: string) => boolean
  /** `range`: with all rows from the one that was pressed before. */
  choose: (sid: string, on: boolean, range: boolean) => void
  all: () => void
  begin: () => void
  end: () => void
}

/** `list`: the query of the list; with another query, nothing is chosen. */
export function useChosen(loaded: readonly Call[], list: object): Chosen {
  const [sids, setSids] = useState<ReadonlySet<string> | null>(null)
  const order = useRef(loaded)
  const last = useRef<string | null>(null)
  useEffect(() => {
    order.current = loaded
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: of another list nothing was chosen
  useEffect(() => setSids(null), [list])
  const choose = useCallback((sid: string, on: boolean, range: boolean) => {
    const all = order.current.map((call) => call.call_sid)
    const [from, to] = [all.indexOf(range && last.current ? last.current : sid), all.indexOf(sid)].sort((a, b) => a - b)
    const pressed = from === undefined || from < 0 ? [sid] : all.slice(from, (to ?? from) + 1)
    last.current = sid
    setSids((before) => {
      const after = new Set(before)
      for (const one of pressed) on ? after.add(one) : after.delete(one)
      return after
    })
  }, [])
  const begin = useCallback(() => {
    last.current = null
    setSids(new Set())
  }, [])
  const all = useCallback(() => setSids(new Set(order.current.map((call) => call.call_sid))), [])
  const end = useCallback(() => setSids(null), [])
  const calls = useMemo(() => sids && loaded.filter((call) => sids.has(call.call_sid)), [sids, loaded])
  return { calls, has: (sid) => sids?.has(sid) ?? false, choose, all, begin, end }
}
