// A text that belongs to the surrounding component, edited in its place.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { patchCall } from '../api/api'
import { Problem } from '../api/http'
import type { CallWithLegs } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'

interface Props {
  call: CallWithLegs
  name: 'customer_name' | 'ref' | 'agent'
  label: string
  add: string
  update: (call: CallWithLegs) => void
  bare?: boolean // the value is shown elsewhere: this shows the button alone
}

export function EditField({ call, name, label, add, update, bare = false }: Props) {
  const { t } = useTranslation(['app', 'errors'])
  const client = useQueryClient()
  const [text, setText] = useState<string | null>(null) // null: not being edited
  const opener = useRef<HTMLButtonElement>(null)
  const edited = useRef(false)
  const field = useId()
  const problem = useId()
  const save = useMutation({
    mutationFn: (value: string) => patchCall(call.call_sid, { [name]: value.trim() || null }),
    onSuccess: (next) => {
      update(next)
      void client.invalidateQueries({ queryKey: ['calls'] })
      announce(t('call.saved'))
      setText(null)
    },
  })
  const editing = text !== null
  useEffect(() => {
    if (editing) edited.current = true
    else if (edited.current) opener.current?.focus()
  }, [editing])

  function submit(event: FormEvent) {
    event.preventDefault()
    if (text !== null && !save.isPending) save.mutate(text)
  }
  function pressed(event: KeyboardEvent) {
    if (event.key !== 'Escape') return
    setText(null)
    save.reset()
  }

  if (text === null)
    return (
      <span className="edit">
        {!bare && call[name] && <bdi>{call[name]}</bdi>}
        <button
          ref={opener}
          type="button"
          className={call[name] ? 'icon-button small' : 'quiet'}
          aria-label={call[name] ? t('call.edit', { what: label }) : undefined}
          onClick={() => setText(call[name] ?? '')}
        >
          {call[name] ? <Icon name="edit" /> : add}
        </button>
      </span>
    )
  return (
    <form className="edit-form" onSubmit={submit}>
      <label htmlFor={field} className="unseen">
        {label}
      </label>
      <input
        id={field}
        // biome-ignore lint/a11y/noAutofocus: the reader just asked to write here
        autoFocus
        value={text}
        maxLength={200}
        dir="auto"
        autoComplete="off"
        aria-invalid={save.isError || undefined}
        aria-describedby={save.isError ? problem : undefined}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={pressed}
      />
      <button type="submit" className="button primary" disabled={save.isPending}>
        {t('call.save')}
      </button>
      <button type="button" className="button" onClick={() => setText(null)}>
        {t('call.cancel')}
      </button>
      {save.isError && (
        <span id={problem} className="wrong" role="alert">
          {t(`errors:${save.error instanceof Problem ? save.error.code : 'internal'}`)}
        </span>
      )}
    </form>
  )
}
