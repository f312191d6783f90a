// Does one action to many calls, one after the other. Tells its progress, can be stopped, and says which calls failed and why.
import { useEffect, useRef, useState } from 'react'
import { codeOf } from '../../api/http'

export interface Work {
  done: number
  of: number
}
export interface Outcome {
  done: number
  left: number // could not be done, or not any more
  code: string | null // why the first of them
}

/** The same error would follow for all other calls. */
const stops = new Set(['unauthorized', 'forbidden', 'offline', 'internal'])

export function useWork() {
  const [work, setWork] = useState<Work | null>(null)
  const stopping = useRef<AbortController | null>(null)
  useEffect(() => () => stopping.current?.abort(), [])

  async function run<T>(
    items: readonly T[],
    act: (item: T, signal: AbortSignal) => Promise<unknown>,
  ): Promise<Outcome> {
    const stop = new AbortController()
    stopping.current = stop
    let [done, code] = [0, null as string | null]
    for (const [i, item] of items.entries()) {
      setWork({ done: i, of: items.length })
      try {
        stop.signal.throwIfAborted()
        await act(item, stop.signal)
        done++
      } catch (why) {
        if (stop.signal.aborted) break
        code ??= codeOf(why)
        if (stops.has(codeOf(why))) break
      }
    }
    setWork(null)
    return { done, left: items.length - done, code }
  }
  return { work, run, stop: () => stopping.current?.abort() }
}
