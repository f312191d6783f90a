import { useEffect } from 'react'
import type { Call, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { Icon } from '../ui/Icon'
import { useHeard, useIsPlaying, usePlayer } from './PlayerProvider'
import { preloadPlayerBar } from './preload'

interface Props {
  call: Call
  /** In the order in which they are played; at least one. */
  recordings: readonly Recording[]
  who: string
}

/** Plays recordings of a call from the first on, or halts them. */
export function PlayButton({ call, recordings, who }: Props) {
  const { t } = useTranslation('player')
  const { engine, open } = usePlayer()
  const state = useIsPlaying(recordings)
  const heard = useHeard(recordings)
  useEffect(preloadPlayerBar, [])
  const on = state !== 'still'
  const [first] = recordings
  function press(event: React.MouseEvent<HTMLButtonElement>) {
    if (event.detail > 1) return // the second half of a double click
    const { track } = engine.state
    if (on) engine.pause()
    else if (track && recordings.some((r) => r.recording_sid === track.key)) engine.play()
    else if (first) open(call, first)
    if (event.detail > 0) event.currentTarget.blur() // the keys are the player's
  }
  const label = on ? t('pauseOf', { who }) : t('playOf', { who })
  return (
    <button
      type="button"
      className={`play play-${state}${heard ? ' play-heard' : ''}`}
      aria-label={heard ? `${label}, ${t('heard')}` : label}
      data-tip={heard ? t('heard') : undefined}
      onClick={press}
    >
      <Icon name={on ? 'pause' : 'play'} />
    </button>
  )
}
