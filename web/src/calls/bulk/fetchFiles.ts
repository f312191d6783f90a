// Recordings as files, under the names that the service gives.
import { downloadUrl } from '../../api/api'
import { Problem, problemOf } from '../../api/http'
import type { Call, Recording } from '../../api/types'
import type { ZipFile } from './zip'

export interface Wanted {
  call: Call
  recording: Recording
}

/** The recordings of these calls that can be downloaded now. */
export const readyOf = (calls: readonly Call[]): Wanted[] =>
  calls.flatMap((call) =>
    call.recordings.filter(({ status }) => status === 'ready').map((recording) => ({ call, recording })),
  )

export const bytesOf = (wanted: readonly Wanted[]) =>
  wanted.reduce((sum, { recording }) => sum + (recording.bytes ?? 0), 0)

function nameOf(answer: Response, sid: string): string {
  const name = /filename\*=UTF-8''([^;]+)/i.exec(answer.headers.get('Content-Disposition') ?? '')?.[1]
  return name ? decodeURIComponent(name) : sid
}

export async function fetchFile({ call, recording }: Wanted, signal: AbortSignal): Promise<ZipFile> {
  const sid = recording.recording_sid as string
  const started = recording.started_at ?? call.started_at
  const answer = await fetch(downloadUrl(sid, started), { signal }).catch((why: unknown) => {
    if (signal.aborted) throw why
    throw new Problem(0, 'offline', null)
  })
  if (!answer.ok) throw await problemOf(answer)
  const content = await answer.blob()
  return { name: nameOf(answer, sid), at: started ? new Date(started) : new Date(), content }
}
