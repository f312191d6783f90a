// One line: the time, the speaker, the text. The word that is heard is marked in its place in the text.
import { type FormEvent, type KeyboardEvent, type Ref, useId, useMemo, useState, useSyncExternalStore } from 'react'
import type { TranscriptSegment } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Icon } from '../ui/Icon'
import type { Found } from './find'
import type { HeardNow } from './heard'
import { partsOf, type SaidLine } from './lines'
import { rewritten } from './rewrite'
import type { Speaker } from './speakers'

/** The place that the list gives the row. */
export interface Place {
  ref: Ref<HTMLDivElement>
  'data-index': number
  'data-line': number
  role: string
  'aria-setsize': number
  'aria-posinset': number
  style: React.CSSProperties
}

interface Props {
  place: Place
  index: number
  line: SaidLine
  speakers: readonly Speaker[]
  heard: HeardNow
  found: readonly Found[]
  chosen: number // of `found`; -1: none
  cursor: number
  isStop: boolean
  seek: (at: number) => void
  enter: () => void
  edit: (() => void) | null
  editing: boolean
  store: ((segment: TranscriptSegment | null) => Promise<void>) | null // null: as it was
  nameOf: (speaker: string) => string
}

export function LineRow({ place, index, line, heard, ...rest }: Props) {
  const { speakers, found, chosen, cursor, isStop, seek, enter, edit, editing, store, nameOf } = rest
  const { t } = useTranslation('transcript')
  const { clock } = useFormat()
  const { segment } = line
  const word = useSyncExternalStore(heard.subscribe, () => heard.wordOf(index))
  const parts = useMemo(() => partsOf(segment.text, line.words, found), [segment.text, line.words, found])
  const speaker = speakers.find(({ name }) => name === segment.speaker)
  const time = clock(line.start)
  return (
    <div {...place} className={`line${word >= 0 ? ' line-heard' : ''}${speaker ? ` said-${speaker.colour}` : ''}`}>
      <button
        type="button"
        className="quiet digits line-time"
        tabIndex={isStop ? 0 : -1}
        aria-label={t('playFrom', { time })}
        onFocus={enter}
        onClick={() => seek(line.start)}
      >
        {time}
      </button>
      <div className="line-said">
        {speaker && <bdi className="line-who">{nameOf(speaker.name)}</bdi>}
        {editing && store ? (
          <Writing segment={segment} speakers={speakers} store={store} nameOf={nameOf} />
        ) : (
          <p dir="auto" className="line-text">
            {parts.map((part, i) => {
              const names = [
                part.word >= 0 && 'word',
                part.word >= 0 && part.word === word && 'word-heard',
                part.word >= 0 && part.word === cursor && 'word-cursor',
                part.found >= 0 && (part.found === chosen ? 'word-found word-chosen' : 'word-found'),
              ].filter(Boolean)
              if (names.length === 0) return part.text
              return (
                <span key={i} className={names.join(' ')} data-word={part.word >= 0 ? part.word : undefined}>
                  {part.text}
                </span>
              )
            })}
          </p>
        )}
      </div>
      {edit && !editing && (
        <button
          type="button"
          className="icon-button small line-edit"
          tabIndex={isStop ? 0 : -1}
          aria-label={t('correctAt', { time })}
          onClick={edit}
        >
          <Icon name="edit" />
        </button>
      )}
    </div>
  )
}

interface WritingProps {
  segment: TranscriptSegment
  speakers: readonly Speaker[]
  store: NonNullable<Props['store']>
  nameOf: (speaker: string) => string
}

function Writing({ segment, speakers, store, nameOf }: WritingProps) {
  const { t } = useTranslation(['transcript', 'app'])
  const [text, setText] = useState(segment.text)
  const [who, setWho] = useState(segment.speaker)
  const [busy, setBusy] = useState(false)
  const id = useId()
  const isSame = text.trim() === segment.text && who === segment.speaker
  async function submit(event: FormEvent | KeyboardEvent) {
    event.preventDefault()
    if (busy) return
    setBusy(true)
    const next = text.trim() === segment.text ? segment : rewritten(segment, text)
    try {
      await store(isSame ? null : { ...next, speaker: who })
    } catch {
      setBusy(false) // the reason stands above the lines; the typed text stays here
    }
  }
  function pressed(event: KeyboardEvent) {
    if (event.key === 'Escape') void store(null)
    else if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) void submit(event)
  }
  return (
    <form className="line-form" onSubmit={submit}>
      <textarea
        // biome-ignore lint/a11y/noAutofocus: the reader just asked to write here
        autoFocus
        rows={Math.max(2, Math.ceil(text.length / 50))}
        value={text}
        maxLength={4000}
        dir="auto"
        aria-label={t('correct')}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={pressed}
      />
      <div className="note-end">
        {speakers.length > 1 && (
          <span className="line-speaker">
            <label htmlFor={id}>{t('speakerOfLine')}</label>{' '}
            <select id={id} value={who ?? ''} onChange={(event) => setWho(event.target.value || null)}>
              {segment.speaker === null && <option value="">–</option>}
              {speakers.map(({ name }) => (
                <option key={name} value={name}>
                  {nameOf(name)}
                </option>
              ))}
            </select>
          </span>
        )}
        <button type="button" className="button" onClick={() => void store(null)}>
          {t('app:call.cancel')}
        </button>
        <button type="submit" className="button primary" disabled={busy || isSame}>
          {t(text.trim() === '' ? 'removeLine' : 'app:call.save')}
        </button>
      </div>
    </form>
  )
}
