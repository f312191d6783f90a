// The data drawn on the seek bar of a recording: its peaks, and a mark for each note at a moment.
import { useQuery } from '@tanstack/react-query'
import { useEffect, useMemo } from 'react'
import { getWaveform } from '../api/api'
import type { Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { Marks } from './marks'
import { peaksOf } from './peaks'
import type { Seekable, SeekBar } from './seekbar'
import { useNotes } from './useNotes'
import './marks.css'

/** Null: there are none. Undefined: it is not known yet. */
export function usePeaks(recording: Recording | undefined) {
  const sid = recording?.recording_sid ?? null
  const { data: waveform, isFetching } = useQuery({
    queryKey: ['waveform', sid],
    queryFn: ({ signal }) => getWaveform(sid ?? '', { signal }),
    enabled: sid !== null && recording?.status === 'ready',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  })
  const peaks = useMemo(() => (waveform && waveform.length > 0 ? peaksOf(waveform) : null), [waveform])
  return peaks === null && isFetching ? undefined : peaks
}

export function useMarks(bar: SeekBar | undefined, player: Seekable, sid: string) {
  const { t } = useTranslation('player')
  const { data } = useNotes(sid)
  const marks = useMemo(() => {
    if (!bar) return null
    const made = new Marks(player, (key, values) => t(key, values ?? {}))
    bar.place.append(made.element)
    return made
  }, [bar, player, t])
  useEffect(() => () => marks?.destroy(), [marks])
  useEffect(() => marks?.show(data?.notes ?? []), [marks, data])
}
