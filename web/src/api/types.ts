// The shapes of the API, from docs/openapi.yaml.
import type { components } from './schema'

type Schemas = components['schemas']
export type Call = Schemas['Call']
export type CallWithLegs = Schemas['CallWithLegs']
export type CallList = Schemas['CallList']
export type CallPatch = Schemas['CallPatch']
export type Recording = Schemas['Recording']
export type Retried = Schemas['Retried']
export type Session = Schemas['Session']
export type Stats = Schemas['Stats']
export type Waveform = Schemas['Waveform']
export type Card = Schemas['Card']
export type SignedUrl = Schemas['SignedUrl']
export type Note = Schemas['Note']
export type NewNote = { at: number | null; text: string }
export type Setup = Schemas['Setup']
export type Finding = Setup['findings'][number]
export type Business = Schemas['Business']
export type BusinessPatch = Schemas['BusinessPatch']
export type KeyList = Schemas['KeyList']
export type NewKey = Schemas['NewKey']
export type SignInLink = Schemas['SignInLink']
export type UrlList = Schemas['UrlList']
export type AuditPage = Schemas['AuditPage']
export type AuditAction = Schemas['AuditAction']
export type Hold = Schemas['Hold']
export type HoldList = { holds: Hold[]; next_cursor: string | null }
export type Erasure = Schemas['Erasure']
export type SessionList = Schemas['SessionList']
export type Transcript = Schemas['Transcript']
export type TranscriptEdit = Schemas['TranscriptEdit']
export type TranscriptSegment = Schemas['TranscriptSegment']
export type TranscriptWord = Schemas['TranscriptWord']
export type TranscriptNews = { recording_sid: string } & Pick<Transcript, 'status' | 'progress'>
export type Match = Schemas['Match']
/** A note in an event of the stream. An event of a deleted note has these members alone. */
export type NoteNews = { recording_sid: string; id: number; deleted: boolean } & Partial<Note>
export type Role = Session['role']
