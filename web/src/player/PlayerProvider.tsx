// The one player of the page: its audio, what is open in it, its keys.
import { useQueryClient } from '@tanstack/react-query'
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { getStatus, streamUrl } from '../api/api'
import { Problem } from '../api/http'
import type { Call, Recording } from '../api/types'
import { useSettings } from '../app/settings'
import { useLiveEvents } from '../live/live'
import { answerOf } from './answer'
import { Engine } from './engine'
import { playByKey } from './keys'
import { useMediaKeys } from './useMediaKeys'

export interface Opened {
  call: Call
  sid: string
}
interface Player {
  engine: Engine
  opened: Opened | null
  open(call: Call, recording: Recording): void
  close(): void
}

const PlayerContext = createContext<Player | null>(null)
export const statusKey = (sid: string) => ['status', sid]

export function PlayerProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const { shortcuts } = useSettings()
  const audio = useRef<HTMLAudioElement>(null)
  const [engine, setEngine] = useState<Engine | null>(null)
  const [opened, setOpened] = useState<Opened | null>(null)

  useEffect(() => {
    if (!audio.current) return
    const made = new Engine(audio.current, async (track, signal) => {
      try {
        const status = await getStatus(track.key, { signal })
        client.setQueryData(statusKey(track.key), status)
        return answerOf(status)
      } catch (why) {
        return { kind: 'trouble', code: why instanceof Problem ? why.code : 'internal', retryAt: null }
      }
    })
    setEngine(made)
    return () => made.destroy()
  }, [client])

  useLiveEvents((event) => {
    if (event.kind === 'reset') engine?.nudge()
    if (event.kind !== 'recording' || event.recording.recording_sid !== opened?.sid) return
    client.setQueryData(statusKey(event.recording.recording_sid), event.recording)
    engine?.learn(event.recording.duration)
    engine?.nudge()
  })

  useEffect(() => {
    if (!engine || !shortcuts) return
    const pressed = (event: KeyboardEvent) => {
      if (!engine.state.track || document.querySelector('dialog[open]')) return
      playByKey(engine, event, event.target instanceof Element && event.target.closest('.player') !== null)
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [engine, shortcuts])

  useMediaKeys(engine, opened)

  const open = useCallback(
    (call: Call, recording: Recording) => {
      const sid = recording.recording_sid
      if (!engine || sid === null) return
      client.setQueryData(statusKey(sid), recording)
      setOpened({ call, sid })
      engine.open({ key: sid, src: streamUrl(sid), duration: recording.duration ?? call.duration })
    },
    [engine, client],
  )
  const close = useCallback(() => {
    engine?.close()
    setOpened(null)
  }, [engine])

  const player = useMemo(() => engine && { engine, opened, open, close }, [engine, opened, open, close])
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: telephone calls have none */}
      <audio ref={audio} preload="none" />
      {player && <PlayerContext value={player}>{children}</PlayerContext>}
    </>
  )
}

export function usePlayer(): Player {
  const player = useContext(PlayerContext)
  if (!player) throw new Error('no PlayerProvider above')
  return player
}

export function usePlayerState() {
  const { engine } = usePlayer()
  return useSyncExternalStore(engine.subscribe, () => engine.state)
}

/** What a button of this recording shows, and nothing more: a row is drawn again only when it changes. */
export function useIsPlaying(sid: string | null): 'playing' | 'busy' | 'still' {
  const { engine } = usePlayer()
  return useSyncExternalStore(engine.subscribe, () => {
    const { track, phase } = engine.state
    if (sid === null || track?.key !== sid) return 'still'
    if (phase === 'playing') return 'playing'
    return phase === 'starting' || phase === 'buffering' || phase === 'waiting' ? 'busy' : 'still'
  })
}
