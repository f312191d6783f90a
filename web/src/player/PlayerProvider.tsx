// The one player of the page: its audio, the open recording, the next one, its keys.
import { useQueryClient } from '@tanstack/react-query'
import {
  createContext,
  type ReactNode,
  startTransition,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { useNavigate } from 'react-router'
import { getCall, getStatus, streamUrl } from '../api/api'
import { Problem } from '../api/http'
import type { Call, CallWithLegs, Recording } from '../api/types'
import { useSettings } from '../app/settings'
import { useTranslation, withAllWords } from '../i18n'
import { useLiveEvents } from '../live/live'
import { useAnswers } from '../live/reachable'
import { announce } from '../ui/Announcer'
import { later } from '../ui/later'
import { answerOf } from './answer'
import { Engine } from './engine'
import { type Action, playByKey } from './keys'
import { beside, besideInCall, type Item } from './order'
import { places } from './places'
import { useMediaKeys } from './useMediaKeys'

const KeysHelp = later(withAllWords(() => import('./KeysHelp')))

export interface Opened {
  call: Call
  sid: string
}
interface Player {
  engine: Engine
  open(call: Call, recording: Recording): void
  /** Opens it at a place, and plays nothing. */
  cue(call: Call, recording: Recording, at?: number): void
  /** To the recording before or after, of the call or of the list. */
  step(by: 1 | -1): void
  /** The list that `step` goes through, as far as it is here; `more` asks for what follows, null: that is all. */
  follow(calls: readonly Call[], more: (() => void) | null): void
  close(): void
  help(): void
}

const PlayerContext = createContext<Player | null>(null)
const OpenedContext = createContext<Opened | null>(null) // apart: a component that only presses is not drawn again for each
const BAR_MS = 200 // after that the bar is drawn although nothing sounds yet
export const statusKey = (sid: string) => ['status', sid]
const LAST = 'callreel.open' // a reload of this tab opens it again

export function PlayerProvider({ children }: { children: ReactNode }) {
  const { t } = useTranslation('player')
  const client = useQueryClient()
  const { shortcuts } = useSettings()
  const audio = useRef<HTMLAudioElement>(null)
  const [engine, setEngine] = useState<Engine | null>(null)
  const [opened, setOpened] = useState<Opened | null>(null)
  const [helping, setHelping] = useState(false)
  const list = useRef<{ calls: readonly Call[]; more: (() => void) | null }>({ calls: [], more: null })
  const stepLater = useRef(false) // to the next one, when more of the list is here
  const now = useRef<Opened | null>(null)

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
    const leave = () => made.keepPlace()
    window.addEventListener('pagehide', leave)
    setEngine(made)
    return () => {
      window.removeEventListener('pagehide', leave)
      made.destroy()
    }
  }, [client])

  const answers = useAnswers()
  useEffect(() => {
    if (answers) engine?.nudge()
  }, [answers, engine])

  useLiveEvents((event) => {
    if (event.kind === 'reset') engine?.nudge()
    if (event.kind === 'call') {
      const { call } = event
      setOpened((before) => (before?.call.call_sid === call.call_sid ? { ...before, call } : before))
      client.setQueryData<CallWithLegs>(['call', call.call_sid], (known) => known && { ...known, ...call })
    }
    if (event.kind !== 'recording' || event.recording.recording_sid !== now.current?.sid) return
    client.setQueryData(statusKey(event.recording.recording_sid), event.recording)
    engine?.learn(event.recording.duration)
    engine?.nudge()
  })

  const take = useCallback(
    ({ call, recording }: Item, at: number | 'play' | undefined) => {
      const sid = recording.recording_sid
      if (!engine || sid === null) return
      client.setQueryData(statusKey(sid), recording)
      stepLater.current = false
      now.current = { call, sid }
      remember(now.current)
      const track = { key: sid, src: streamUrl(sid), duration: recording.duration ?? call.duration }
      const show = () => setOpened(now.current)
      if (at === 'play') {
        engine.open(track)
        whenStarted(engine, () => startTransition(show))
      } else {
        engine.cue(track, at)
        show()
      }
    },
    [engine, client],
  )
  const open = useCallback((call: Call, recording: Recording) => take({ call, recording }, 'play'), [take])
  const cue = useCallback((call: Call, recording: Recording, at?: number) => take({ call, recording }, at), [take])
  const close = useCallback(() => {
    engine?.close()
    now.current = null
    setOpened(null)
    remember(null)
  }, [engine])
  const step = useCallback(
    (by: 1 | -1) => {
      if (!now.current) return
      const { call, sid } = now.current
      const { calls, more } = list.current
      const item = beside(calls, call, sid, by)
      stepLater.current = !item && by > 0 && more !== null
      if (item) take(item, 'play')
      else if (stepLater.current) more?.()
      else announce(t(by > 0 ? 'noNext' : 'noPrevious'), { shown: true })
    },
    [take, t],
  )
  const follow = useCallback(
    (calls: readonly Call[], more: (() => void) | null) => {
      const grown = calls.length > list.current.calls.length
      list.current = { calls, more }
      if (stepLater.current && grown) step(1)
    },
    [step],
  )
  const help = useCallback(() => setHelping(true), [])

  useEffect(() => {
    if (engine)
      return whenEnded(engine, () => {
        if (!now.current) return
        const { call, sid } = now.current
        const further = besideInCall(call, sid, 1)
        if (further) take(further, 'play')
        else if (engine.state.listening.onward) step(1)
      })
  }, [engine, take, step])

  // After a reload: opens the same recording at the same place, paused.
  useEffect(() => {
    const last = remembered()
    if (!engine || !last || engine.state.track) return
    let over = false
    getCall(last.call).then((call) => {
      const recording = call.recordings.find((r) => r.recording_sid === last.sid)
      if (recording && !over && !engine.state.track) cue(call, recording)
    }, forget)
    return () => {
      over = true
    }
  }, [engine, cue])

  const navigate = useNavigate()
  const others = useCallback(
    (action: Action) => {
      if (action.do === 'help') setHelping(true)
      else if (action.do === 'search') {
        if (!searchBox()) void navigate('/')
        focusSearch()
      } else if ((action.do === 'next' || action.do === 'previous') && now.current) step(action.do === 'next' ? 1 : -1)
      else return false
      return true
    },
    [step, navigate],
  )
  useEffect(() => {
    if (!engine || !shortcuts) return
    const pressed = (event: KeyboardEvent) => {
      if (!document.querySelector('dialog[open]')) playByKey(engine, event, others)
    }
    document.addEventListener('keydown', pressed)
    return () => document.removeEventListener('keydown', pressed)
  }, [engine, shortcuts, others])

  useMediaKeys(engine, opened, step)

  const player = useMemo(
    () => engine && { engine, open, cue, step, follow, close, help },
    [engine, open, cue, step, follow, close, help],
  )
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: telephone calls have none */}
      <audio ref={audio} preload="none" />
      {player && (
        <PlayerContext value={player}>
          <OpenedContext value={opened}>{children}</OpenedContext>
        </PlayerContext>
      )}
      {helping && <KeysHelp close={() => setHelping(false)} />}
    </>
  )
}

/** Calls `act` when the audio sounds or fails, or a moment later: to draw meanwhile would delay the sound. */
function whenStarted(engine: Engine, act: () => void) {
  const done = () => {
    clearTimeout(timer)
    forget()
    act()
  }
  const timer = setTimeout(done, BAR_MS)
  const forget = engine.subscribe(() => engine.state.phase !== 'starting' && done())
}

/** Calls `act` each time that a recording has ended. */
function whenEnded(engine: Engine, act: () => void) {
  let before = engine.state.phase
  return engine.subscribe(() => {
    const { phase } = engine.state
    const over = phase === 'ended' && before !== 'ended'
    before = phase
    if (over) act()
  })
}

const searchBox = () => document.querySelector<HTMLInputElement>('input[type="search"]')

/** The list may not be there yet. */
function focusSearch(frames = 120) {
  const box = searchBox()
  if (box) {
    box.focus()
    box.select()
  } else if (frames > 0) requestAnimationFrame(() => focusSearch(frames - 1))
}

function forget() {
  remember(null)
}

function remember(opened: Opened | null) {
  try {
    if (opened) sessionStorage.setItem(LAST, JSON.stringify({ call: opened.call.call_sid, sid: opened.sid }))
    else sessionStorage.removeItem(LAST)
  } catch {
    // the browser stores nothing
  }
}

function remembered(): { call: string; sid: string } | null {
  try {
    return JSON.parse(sessionStorage.getItem(LAST) ?? 'null')
  } catch {
    return null
  }
}

export function usePlayer(): Player {
  const player = useContext(PlayerContext)
  if (!player) throw new Error('no PlayerProvider above')
  return player
}

/** The recording that is open in the player. */
export const useOpened = () => useContext(OpenedContext)

export function usePlayerState() {
  const { engine } = usePlayer()
  return useSyncExternalStore(engine.subscribe, () => engine.state)
}

/** The state that a button of these recordings shows, and nothing more: a row is drawn again only when it changes. */
export function useIsPlaying(recordings: readonly Recording[]): 'playing' | 'busy' | 'still' {
  const { engine } = usePlayer()
  return useSyncExternalStore(engine.subscribe, () => {
    const { track, phase } = engine.state
    if (!track || !recordings.some((r) => r.recording_sid === track.key)) return 'still'
    if (phase === 'playing') return 'playing'
    return phase === 'starting' || phase === 'buffering' || phase === 'waiting' ? 'busy' : 'still'
  })
}

/** All of them were heard to the end. */
export const useHeard = (recordings: readonly Recording[]): boolean =>
  useSyncExternalStore(places.subscribe, () =>
    recordings.every((r) => r.recording_sid !== null && places.heard(r.recording_sid)),
  )
