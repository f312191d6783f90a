// The notes of a recording. The stream updates them.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { listNotes } from '../api/api'
import { useCatchUp, useLiveEvents } from '../live/live'

export const notesKey = (sid: string) => ['notes', sid]

export function useNotes(sid: string) {
  const client = useQueryClient()
  useLiveEvents((event) => {
    if (event.kind === 'reset' || (event.kind === 'note' && event.note.recording_sid === sid))
      void client.invalidateQueries({ queryKey: notesKey(sid) })
  })
  const query = useQuery({ queryKey: notesKey(sid), queryFn: ({ signal }) => listNotes(sid, { signal }) })
  useCatchUp(!query.isPending, query.refetch)
  return query
}
