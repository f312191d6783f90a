// The waveform of a recording on its call's page: large, with its sides and notes. A press plays there.
import { useEffect, useLayoutEffect, useMemo, useRef } from 'react'
import type { Call, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import type { Engine } from '../player/engine'
import { namedSide, sideOf } from '../player/face'
import { colourOfRole, type Role, rolesOf } from '../player/listening'
import { usePlayer, usePlayerState } from '../player/PlayerProvider'
import { talkOf } from '../player/peaks'
import { places } from '../player/places'
import { type Say, type Seekable, SeekBar } from '../player/seekbar'
import { useMarks, usePeaks } from '../player/useDrawn'
import type { Speaker } from '../transcript/speakers'
import '../player/face.css'

const roleOf: Record<string, Role> = { customer: 'customer', agent: 'agent', '1': 'first', '2': 'second' }
const NOTHING: Seekable['state']['buffered'] = []

/** One recording, whether the player has it or not. */
class PlaceIn implements Seekable {
  constructor(
    private readonly engine: Engine,
    private readonly sid: string,
    private readonly duration: number | null,
    private readonly open: (at: number) => void,
  ) {}

  get #isOpen() {
    return this.engine.state.track?.key === this.sid
  }

  get state(): Seekable['state'] {
    const { duration } = this
    return this.#isOpen ? this.engine.state : { phase: 'paused', time: this.now(), duration, buffered: NOTHING }
  }

  subscribe(changed: () => void) {
    return this.engine.subscribe(changed)
  }

  now() {
    return this.#isOpen ? this.engine.now() : places.of(this.sid)
  }

  seek(to: number) {
    if (this.#isOpen) this.engine.seek(to)
    else this.open(to)
  }
}

interface Props {
  call: Call
  recording: Recording
  name: string
  speakers: readonly Speaker[] // as its transcript has them; none: it has no transcript
}

export function Waveform({ call, recording, name, speakers }: Props) {
  const { t } = useTranslation('player')
  const { percent } = useFormat()
  const { engine, cue } = usePlayer()
  const { swapped } = usePlayerState().listening
  const peaks = usePeaks(recording)
  const sid = recording.recording_sid ?? ''
  const latest = useRef({ call, recording })
  latest.current = { call, recording }
  const place = useMemo(
    () =>
      new PlaceIn(engine, sid, recording.duration, (at) => {
        cue(latest.current.call, latest.current.recording, at)
        engine.play()
      }),
    [engine, sid, recording.duration, cue],
  )
  const say = useMemo<Say>(() => (key, values) => t(key, values ?? {}), [t])
  const drawn = peaks !== null && peaks !== undefined
  const bar = useMemo(
    () => (drawn ? new SeekBar(place, say, say('waveformOf', { name })) : undefined),
    [drawn, place, say, name],
  )
  const box = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (!bar || !peaks) return
    const roles = peaks.length > 1 ? rolesOf(call.direction, swapped) : []
    const said = roles.map((_, channel) => speakers.find((speaker) => speaker.channel === channel))
    const told = said.every(Boolean) ? said : [] // a transcript knows better who is on which channel, and each share
    const sides = document.createElement('span')
    sides.className = 'cr-sides'
    const shares = talkOf(peaks)
    roles.forEach((role, channel) => {
      const speaker = told[channel]
      const spoken = speaker && roleOf[speaker.name]
      const side = speaker ? namedSide(spoken ? say(spoken) : speaker.name, speaker.colour) : sideOf(role, say)
      const share = shares[channel]
      if (share !== undefined && !speaker) side.append(' ', percent(share))
      sides.append(side)
    })
    sides.dataset.tip = say('talkShare')
    box.current?.replaceChildren(sides, bar.place)
    const colours = roles.map((role, channel) => told[channel]?.colour ?? colourOfRole(role))
    bar.show(peaks, roles.length > 0 ? colours : [0])
  }, [bar, peaks, call.direction, swapped, speakers, say, percent])
  useEffect(() => () => bar?.destroy(), [bar])
  useMarks(bar, place, sid)
  if (peaks === null) return null
  return <div className="card-wave cr-line" dir="ltr" ref={box} /> // while it comes, its place is kept
}
