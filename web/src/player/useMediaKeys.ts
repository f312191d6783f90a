// The keys of keyboards, headsets and locked screens, where the browser passes them on.
import { useEffect } from 'react'
import { nameOf } from '../recording/Who'
import type { Engine } from './engine'
import type { Opened } from './PlayerProvider'

export function useMediaKeys(engine: Engine | null, opened: Opened | null, step: (by: 1 | -1) => void) {
  useEffect(() => {
    const { mediaSession } = navigator
    if (!mediaSession || !engine || !opened) return
    const { call } = opened
    mediaSession.metadata = new MediaMetadata({ title: nameOf(call) ?? '', artist: call.customer_number ?? '' })
    const actions: Partial<Record<MediaSessionAction, () => void>> = {
      play: () => engine.play(),
      pause: () => engine.pause(),
      seekbackward: () => engine.skip(-10),
      seekforward: () => engine.skip(10),
      previoustrack: () => step(-1),
      nexttrack: () => step(1),
    }
    const entries = Object.entries(actions) as [MediaSessionAction, () => void][]
    for (const [name, act] of entries) mediaSession.setActionHandler(name, act)
    return () => {
      mediaSession.metadata = null
      for (const [name] of entries) mediaSession.setActionHandler(name, null)
    }
  }, [engine, opened, step])
}
