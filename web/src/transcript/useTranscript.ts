// The transcript of a recording. The stream updates it; without it, requests now and then while it is made.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Problem } from '../api/http'
import type { TranscriptEdit } from '../api/types'
import { useTranslation } from '../i18n'
import { useCatchUp, useLiveEvents, useLiveState } from '../live/live'
import { usePolling } from '../live/usePolling'
import { announce } from '../ui/Announcer'
import { getTranscript, type Kept, putTranscript, transcribe } from './requests'

const LOOK_S = 3
const keyOf = (sid: string, version: number | null = null) => ['transcript', sid, version]

export const isComing = (status: string) => status === 'queued' || status === 'running'

/** `asked`: a transcript was requested; otherwise nothing is sent to the server. `version`: null for the newest. */
export function useTranscript(sid: string, asked: boolean, version: number | null = null) {
  const client = useQueryClient()
  const key = keyOf(sid, version)
  const query = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => getTranscript(sid, version, signal),
    enabled: asked,
    placeholderData: (before, of) => (of?.queryKey[1] === sid ? before : undefined),
  })
  const live = useLiveState()
  useCatchUp(!query.isPending, query.refetch)
  useLiveEvents((event) => {
    if (!asked || version !== null) return
    if (event.kind === 'reset') return void query.refetch()
    if (event.kind !== 'transcript' || event.transcript.recording_sid !== sid) return
    const { status, progress } = event.transcript
    const known = client.getQueryData<Kept | null>(key)
    // An event does not hold everything (why it waits, the text), so the rest is read.
    if (!known || status !== known.transcript.status || status !== 'running') return void query.refetch()
    client.setQueryData<Kept>(key, { ...known, transcript: { ...known.transcript, status, progress } })
  })
  const coming = query.data ? isComing(query.data.transcript.status) : false
  usePolling(live === 'closed' && version === null, coming ? LOOK_S : null, query.refetch)
  return query
}

/** Stores a correction of the version that was read with `etag`. */
export function useCorrection(sid: string, etag: string) {
  const client = useQueryClient()
  const { t } = useTranslation('transcript')
  return useMutation({
    mutationFn: (edit: TranscriptEdit) => putTranscript(sid, edit, etag),
    onSuccess: (kept) => {
      client.setQueryData(keyOf(sid), kept)
      announce(t('saved', { version: kept.transcript.version ?? 0 }), { shown: true })
    },
    onError: (why) => {
      if (why instanceof Problem && why.status === 412) void client.invalidateQueries({ queryKey: keyOf(sid) })
    },
  })
}

export function useTranscribing(sid: string) {
  const client = useQueryClient()
  return useMutation({
    mutationFn: (force: boolean) => transcribe(sid, force),
    onSuccess: () => client.invalidateQueries({ queryKey: keyOf(sid) }),
  })
}
