// The order of playing: the recordings of a call in order of time, the calls in the order of their list. Pure.
import type { Call, Recording } from '../api/types'
import { isPlayable } from '../recording/state'

export interface Item {
  call: Call
  recording: Recording
}

/** From the first to the last that was recorded; those without a time at the end, as they are. */
export function inOrder(recordings: readonly Recording[]): Recording[] {
  const at = (r: Recording) => (r.started_at ? Date.parse(r.started_at) : Number.POSITIVE_INFINITY)
  return recordings
    .map((recording, i) => ({ recording, i }))
    .sort((a, b) => {
      const [first, second] = [at(a.recording), at(b.recording)]
      return first === second ? a.i - b.i : first - second
    })
    .map(({ recording }) => recording)
}

/** The recordings of a call that can be heard, in order. */
export const playableOf = (call: Call): Recording[] => inOrder(call.recordings).filter(isPlayable)

/** The recording beside `sid` in its call. */
export function besideInCall(call: Call, sid: string, by: 1 | -1): Item | null {
  const all = playableOf(call)
  const at = all.findIndex((r) => r.recording_sid === sid)
  const recording = at < 0 ? undefined : all[at + by]
  return recording ? { call, recording } : null
}

/** The recording beside `sid`: of its call, else of the next call of the list that has one. */
export function beside(list: readonly Call[], call: Call, sid: string, by: 1 | -1): Item | null {
  const inCall = besideInCall(call, sid, by)
  if (inCall) return inCall
  const at = list.findIndex((one) => one.call_sid === call.call_sid)
  if (at < 0) return null
  for (let i = at + by; i >= 0 && i < list.length; i += by) {
    const other = list[i]
    const recording = other && playableOf(other).at(by > 0 ? 0 : -1)
    if (other && recording) return { call: other, recording }
  }
  return null
}
