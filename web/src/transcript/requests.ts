// The requests of a transcript's page. Each answer comes with its ETag, because a correction names the version that was read.
import { ask, Problem } from '../api/http'
import type { Transcript, TranscriptEdit } from '../api/types'

export interface Kept {
  transcript: Transcript
  etag: string
}
export type Format = 'txt' | 'srt' | 'vtt'

const pathOf = (sid: string) => `api/recordings/${encodeURIComponent(sid)}/transcript`
export const fileUrl = (sid: string, format: Format, version: number | null) =>
  `${pathOf(sid)}?format=${format}${version === null ? '' : `&version=${version}`}`

async function askKept(path: string, init: RequestInit & { json?: unknown }): Promise<Kept> {
  const { json, ...rest } = init
  const headers = {
    Accept: 'application/json',
    ...rest.headers,
    ...(json !== undefined && { 'Content-Type': 'application/json' }),
  }
  const begun = fetch(path, { ...rest, headers, body: json === undefined ? null : JSON.stringify(json) })
  const transcript = await ask<Transcript>(path, { begun })
  return { transcript, etag: (await begun).headers.get('ETag') ?? '' }
}

/** Null: no transcript was requested. */
export async function getTranscript(sid: string, version: number | null, signal: AbortSignal): Promise<Kept | null> {
  const query = version === null ? '' : `?version=${version}`
  try {
    return await askKept(`${pathOf(sid)}${query}`, { signal })
  } catch (why) {
    if (why instanceof Problem && why.status === 404) return null
    throw why
  }
}

export const putTranscript = (sid: string, edit: TranscriptEdit, etag: string) =>
  askKept(pathOf(sid), { method: 'PUT', headers: { 'If-Match': etag }, json: edit })

/** `force`: although there is one. */
export const transcribe = (sid: string, force: boolean) =>
  ask<Transcript>(`api/recordings/${encodeURIComponent(sid)}/transcribe${force ? '?force=1' : ''}`, { method: 'POST' })
