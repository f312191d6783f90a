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
export type SignedUrl = Schemas['SignedUrl']
export type Role = Session['role']
