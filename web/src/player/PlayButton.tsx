import { useTranslation } from 'react-i18next'
import type { Call, Recording } from '../api/types'
import { Icon } from '../ui/Icon'
import { useIsPlaying, usePlayer } from './PlayerProvider'

interface Props {
  call: Call
  recording: Recording
  who: string
}

/** Plays a recording, or halts it. */
export function PlayButton({ call, recording, who }: Props) {
  const { t } = useTranslation('player')
  const { engine, open } = usePlayer()
  const state = useIsPlaying(recording.recording_sid)
  const on = state !== 'still'
  return (
    <button
      type="button"
      className={`play play-${state}`}
      aria-label={on ? t('pauseOf', { who }) : t('playOf', { who })}
      onClick={() => (on ? engine.pause() : open(call, recording))}
    >
      <Icon name={on ? 'pause' : 'play'} />
    </button>
  )
}
