// Notes that people wrote at moments of a recording.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type KeyboardEvent, useId, useState } from 'react'
import { addNote, deleteNote, editNote } from '../api/api'
import { Problem } from '../api/http'
import type { Call, Note, Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { usePlayer, usePlayerState } from '../player/PlayerProvider'
import { notesKey, useNotes } from '../player/useNotes'
import { useSession } from '../signin/session'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'

const LENGTH = 2000

export function Notes({ call, recording }: { call: Call; recording: Recording }) {
  const { t } = useTranslation(['app', 'errors'])
  const sid = recording.recording_sid ?? ''
  const client = useQueryClient()
  const { data, error } = useNotes(sid)
  const refresh = () => client.invalidateQueries({ queryKey: notesKey(sid) })
  const notes = data?.notes ?? []
  return (
    <div className="notes">
      <h3>{t('notes.title')}</h3>
      {error && (
        <p className="wrong" role="alert">
          {t(`errors:${error instanceof Problem ? error.code : 'internal'}`)}
        </p>
      )}
      {notes.length > 0 && (
        <ul>
          {notes.map((note) => (
            <OneNote key={note.id} call={call} recording={recording} note={note} refresh={refresh} />
          ))}
        </ul>
      )}
      <AddNote sid={sid} refresh={refresh} />
    </div>
  )
}

/** The place of the player in this recording; null: it plays another one. */
function usePlace(sid: string): number | null {
  const { time, track } = usePlayerState()
  return track?.key === sid ? Math.floor(time) : null
}

function AddNote({ sid, refresh }: { sid: string; refresh: () => void }) {
  const { t } = useTranslation(['app', 'errors'])
  const { clock } = useFormat()
  const place = usePlace(sid)
  const [text, setText] = useState('')
  const [at, setAt] = useState<number | null>(null) // where the writing began
  const [whole, setWhole] = useState(false)
  const field = useId()
  const moment = whole ? null : (at ?? place)
  const add = useMutation({
    mutationFn: () => addNote(sid, { text: text.trim(), at: moment }),
    onSuccess: () => {
      setText('')
      setAt(null)
      refresh()
      announce(t('notes.added'), { shown: true })
    },
  })
  function submit(event: FormEvent) {
    event.preventDefault()
    if (text.trim() && !add.isPending) add.mutate()
  }
  function pressed(event: KeyboardEvent) {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event)
  }
  return (
    <form className="note-form" onSubmit={submit}>
      <label htmlFor={field} className="unseen">
        {t('notes.write')}
      </label>
      <textarea
        id={field}
        rows={text ? 3 : 1}
        value={text}
        maxLength={LENGTH}
        dir="auto"
        placeholder={t('notes.write')}
        onChange={(event) => {
          if (!text) setAt(place)
          setText(event.target.value)
        }}
        onKeyDown={pressed}
      />
      {text.trim() !== '' && (
        <div className="note-end">
          {(at ?? place) !== null && (
            <label className="check">
              <input type="checkbox" checked={!whole} onChange={(event) => setWhole(!event.target.checked)} />
              {t('notes.at', { time: clock(at ?? place) })}
            </label>
          )}
          <button type="submit" className="button primary" disabled={add.isPending}>
            {t('notes.add')}
          </button>
        </div>
      )}
      {add.isError && (
        <p className="wrong" role="alert">
          {t(`errors:${add.error instanceof Problem ? add.error.code : 'internal'}`)}
        </p>
      )}
    </form>
  )
}

interface OneNoteProps {
  call: Call
  recording: Recording
  note: Note
  refresh: () => void
}

function OneNote({ call, recording, note, refresh }: OneNoteProps) {
  const { t } = useTranslation(['app', 'errors'])
  const { clock, dateTime } = useFormat()
  const session = useSession()
  const { engine, cue } = usePlayer()
  const sid = recording.recording_sid ?? ''
  const [text, setText] = useState<string | null>(null)
  const own = session.subject !== null && (note.by === session.subject || note.by === `user:${session.subject}`)
  const may = own || session.role === 'admin'
  const done = () => {
    setText(null)
    refresh()
  }
  const save = useMutation({ mutationFn: (words: string) => editNote(sid, note.id, words), onSuccess: done })
  const remove = useMutation({ mutationFn: () => deleteNote(sid, note.id), onSuccess: done })
  const failed = save.error ?? remove.error
  function go() {
    if (note.at === null) return
    if (engine.state.track?.key === sid) engine.seek(note.at)
    else cue(call, recording, note.at)
  }
  if (text !== null)
    return (
      <li className="note">
        <form
          className="note-form"
          onSubmit={(event) => {
            event.preventDefault()
            if (text.trim()) save.mutate(text.trim())
          }}
        >
          <textarea
            // biome-ignore lint/a11y/noAutofocus: the reader just asked to write here
            autoFocus
            rows={3}
            value={text}
            maxLength={LENGTH}
            dir="auto"
            aria-label={t('notes.edit')}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => event.key === 'Escape' && setText(null)}
          />
          <div className="note-end">
            <button type="button" className="button" onClick={() => setText(null)}>
              {t('call.cancel')}
            </button>
            <button type="submit" className="button primary" disabled={save.isPending || !text.trim()}>
              {t('call.save')}
            </button>
          </div>
        </form>
      </li>
    )
  return (
    <li className="note">
      {note.at !== null && (
        <button
          type="button"
          className="quiet digits"
          aria-label={t('notes.playAt', { time: clock(note.at) })}
          onClick={go}
        >
          {clock(note.at)}
        </button>
      )}
      <div className="note-text">
        <p dir="auto">{note.text}</p>
        <p className="help">
          {own ? t('notes.you') : <bdi>{byWords(note.by)}</bdi>} · {dateTime(new Date(note.created_at))}
          {note.edited_at && ` · ${t('notes.edited')}`}
        </p>
        {failed && (
          <p className="wrong" role="alert">
            {t(`errors:${failed instanceof Problem ? failed.code : 'internal'}`)}
          </p>
        )}
      </div>
      {may && (
        <span className="note-actions">
          <button
            type="button"
            className="icon-button small"
            aria-label={t('notes.edit')}
            onClick={() => setText(note.text)}
          >
            <Icon name="edit" />
          </button>
          <button
            type="button"
            className="icon-button small"
            aria-label={t('notes.delete')}
            disabled={remove.isPending}
            onClick={() => remove.mutate()}
          >
            <Icon name="trash" />
          </button>
        </span>
      )}
    </li>
  )
}

const byWords = (by: string) => by.replace(/^user:/, '').replace(/^key:/, '#')
