// The tags of a call, changed where they stand.
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { Link } from 'react-router'
import { patchCall } from '../api/api'
import { Problem } from '../api/http'
import type { CallWithLegs } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'

const MOST = 20

interface Props {
  call: CallWithLegs
  edits: boolean
  update: (call: CallWithLegs) => void
}

export function Tags({ call, edits, update }: Props) {
  const { t } = useTranslation(['app', 'errors'])
  const client = useQueryClient()
  const [text, setText] = useState('')
  const save = useMutation({
    mutationFn: (tags: string[]) => patchCall(call.call_sid, { tags }),
    onSuccess: (next) => {
      update(next)
      void client.invalidateQueries({ queryKey: ['calls'] })
      announce(t('call.saved'))
      setText('')
    },
  })
  function add(event: FormEvent) {
    event.preventDefault()
    const tag = text.trim()
    if (!tag || save.isPending) return
    if (call.tags.includes(tag)) setText('')
    else save.mutate([...call.tags, tag])
  }
  if (!edits && call.tags.length === 0) return null
  return (
    <div className="tags">
      <ul aria-label={t('call.tags')}>
        {call.tags.map((tag) => (
          <li key={tag} className="tag">
            <Link to={`/?tag=${encodeURIComponent(tag)}`}>
              <bdi>{tag}</bdi>
            </Link>
            {edits && (
              <button
                type="button"
                aria-label={t('call.removeTag', { tag })}
                disabled={save.isPending}
                onClick={() => save.mutate(call.tags.filter((one) => one !== tag))}
              >
                <Icon name="close" />
              </button>
            )}
          </li>
        ))}
      </ul>
      {edits && call.tags.length < MOST && (
        <form onSubmit={add}>
          <input
            value={text}
            maxLength={40}
            dir="auto"
            autoComplete="off"
            aria-label={t('call.addTag')}
            placeholder={t('call.addTag')}
            onChange={(event) => setText(event.target.value)}
          />
          {text.trim() && (
            <button type="submit" className="icon-button small" aria-label={t('call.addTag')} disabled={save.isPending}>
              <Icon name="plus" />
            </button>
          )}
        </form>
      )}
      {save.isError && (
        <p className="wrong" role="alert">
          {t(`errors:${save.error instanceof Problem ? save.error.code : 'internal'}`)}
        </p>
      )}
    </div>
  )
}
