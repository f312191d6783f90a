// A part of the page that is loaded when it is needed. A load that fails is tried again: after a while, when the network is back,
// and when somebody asks.
import { useCallback, useEffect, useState } from 'react'

const AGAIN_MS = [1000, 3000, 10_000]

/** Loads with a few tries; the last failure is the answer. */
export async function loadAgain<T>(load: () => Promise<T>, pause = AGAIN_MS): Promise<T> {
  for (const ms of pause) {
    try {
      return await load()
    } catch {
      await new Promise<void>((resolve) => {
        const on = () => {
          clearTimeout(timer)
          window.removeEventListener('online', on)
          resolve()
        }
        const timer = setTimeout(on, ms)
        window.addEventListener('online', on)
      })
    }
  }
  return load()
}

export function useChunk<T>(load: () => Promise<T>): { chunk: T | null; failed: boolean; again: () => void } {
  const [chunk, setChunk] = useState<{ it: T } | null>(null)
  const [failed, setFailed] = useState(false)
  const [round, setRound] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new round is a new try
  useEffect(() => {
    let over = false
    setFailed(false)
    loadAgain(load).then(
      (it) => over || setChunk({ it }),
      () => over || setFailed(true),
    )
    return () => {
      over = true
    }
  }, [load, round])
  const again = useCallback(() => setRound((n) => n + 1), [])
  useEffect(() => {
    if (!failed) return
    window.addEventListener('online', again)
    return () => window.removeEventListener('online', again)
  }, [failed, again])
  return { chunk: chunk?.it ?? null, failed, again }
}
