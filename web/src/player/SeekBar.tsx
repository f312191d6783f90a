// Where the sound is: the waveform or a plain bar, what has arrived, and a slider over both that has keys and words.
import { useQuery } from '@tanstack/react-query'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { getWaveform } from '../api/api'
import type { Recording } from '../api/types'
import { useFormat } from '../i18n/useFormat'
import { usePlayer, usePlayerState } from './PlayerProvider'
import type { Drawing } from './waveform'

const KEYS: Record<string, number> = {
  ArrowLeft: -5,
  ArrowDown: -5,
  ArrowRight: 5,
  ArrowUp: 5,
  PageDown: -30,
  PageUp: 30,
}

export function SeekBar({ recording }: { recording: Recording | undefined }) {
  const { t } = useTranslation('player')
  const { engine } = usePlayer()
  const { time, duration, buffered, phase } = usePlayerState()
  const { clock } = useFormat()
  const [dragged, setDragged] = useState<number | null>(null)
  const bar = useRef<HTMLDivElement>(null)
  const slider = useRef<HTMLInputElement>(null)
  const length = duration ?? 0
  const drawing = useWaveform(bar, recording, length)

  // Each frame while it plays, else when something changes.
  useEffect(() => {
    const show = () => {
      const at = dragged ?? engine.now()
      bar.current?.style.setProperty('--at', String(length > 0 ? Math.min(1, at / length) : 0))
      drawing?.show(at)
    }
    show()
    if (phase !== 'playing') return
    let frame = requestAnimationFrame(function next() {
      show()
      frame = requestAnimationFrame(next)
    })
    return () => cancelAnimationFrame(frame)
  })

  // The browser's own `change`: once, when the slider is let go. React's is each move.
  useEffect(() => {
    const element = slider.current
    const let_go = () => {
      engine.seek(Number(element?.value))
      setDragged(null)
    }
    element?.addEventListener('change', let_go)
    return () => element?.removeEventListener('change', let_go)
  }, [engine])

  function pressed(event: KeyboardEvent) {
    const step = KEYS[event.key]
    if (step !== undefined) engine.skip(step)
    else if (event.key === 'Home') engine.seek(0)
    else if (event.key === 'End') engine.seek(length)
    else return
    event.preventDefault()
  }

  const at = dragged ?? time
  const arrived = arrivedShare(recording)
  return (
    <div className={drawing ? 'seek seek-wave' : 'seek'} ref={bar}>
      <div className="seek-track">
        {arrived > 0 && <span className="seek-arrived" style={{ inlineSize: `${arrived * 100}%` }} />}
        {length > 0 &&
          buffered.map(([from, to]) => (
            <span
              key={from}
              className="seek-buffered"
              style={{
                left: `${(from / length) * 100}%`,
                width: `${(Math.min(1, to / length) - from / length) * 100}%`,
              }}
            />
          ))}
        <span className="seek-played" />
      </div>
      <input
        ref={slider}
        type="range"
        min={0}
        max={Math.max(length, 0.1)}
        step="0.1"
        value={Math.min(at, length)}
        disabled={length === 0}
        aria-label={t('position')}
        aria-valuetext={
          duration === null
            ? t('positionAt', { at: clock(at) })
            : t('positionOf', { at: clock(at), total: clock(duration) })
        }
        onChange={(event) => setDragged(Number(event.target.value))}
        onKeyDown={pressed}
      />
    </div>
  )
}

function arrivedShare(recording: Recording | undefined): number {
  if (recording?.status !== 'downloading' || !recording.progress.total) return 0
  return Math.min(1, recording.progress.bytes / recording.progress.total)
}

/** The drawing of a ready recording's peaks, once they and the code that draws are here. */
function useWaveform(bar: React.RefObject<HTMLDivElement | null>, recording: Recording | undefined, length: number) {
  const sid = recording?.recording_sid ?? null
  const [drawing, setDrawing] = useState<Drawing | null>(null)
  const { data: waveform } = useQuery({
    queryKey: ['waveform', sid],
    queryFn: ({ signal }) => getWaveform(sid ?? '', { signal }),
    enabled: sid !== null && recording?.status === 'ready',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  useEffect(() => {
    const parent = bar.current
    if (!waveform || waveform.length === 0 || !parent || length === 0) return
    let made: Drawing | null = null
    let over = false
    void import('./waveform').then(({ draw }) => {
      if (over) return
      made = draw(parent, waveform, length, 36)
      setDrawing(made)
    })
    const dark = matchMedia('(prefers-color-scheme: dark)')
    const recolour = () => made?.colours()
    const themes = new MutationObserver(recolour)
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    dark.addEventListener('change', recolour)
    return () => {
      over = true
      themes.disconnect()
      dark.removeEventListener('change', recolour)
      made?.destroy()
      setDrawing(null)
    }
  }, [waveform, bar, length])
  return drawing
}
