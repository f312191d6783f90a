// The speakers with their colours and shares; an agent may name them.
import { type FormEvent, useState } from 'react'
import type { Transcript } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Icon } from '../ui/Icon'
import { useSpeakerName } from './speakerName'
import type { Speaker } from './speakers'

interface Props {
  talk: Transcript['talk']
  speakers: readonly Speaker[]
  duration: number | null
  rename: ((names: Record<string, string>) => void) | null
}

export function Talk({ talk, speakers, duration, rename }: Props) {
  const { t } = useTranslation('transcript')
  const { clock, percent } = useFormat()
  const share = (seconds: number) => (duration ? percent(seconds / duration) : clock(seconds))
  if (speakers.length === 0 && !talk) return null
  return (
    <ul className="talk" aria-label={t('talk')}>
      {speakers.map((speaker) => (
        <OneSpeaker key={speaker.name} speaker={speaker} rename={rename}>
          {talk?.speakers[speaker.name] !== undefined && share(talk.speakers[speaker.name] ?? 0)}
        </OneSpeaker>
      ))}
      {talk && talk.silence !== null && <li className="muted">{t('silence', { share: share(talk.silence) })}</li>}
      {talk && talk.overlap !== null && talk.overlap > 0 && (
        <li className="muted">{t('overlap', { share: share(talk.overlap) })}</li>
      )}
    </ul>
  )
}

interface OneProps {
  speaker: Speaker
  rename: Props['rename']
  children: React.ReactNode
}

function OneSpeaker({ speaker, rename, children }: OneProps) {
  const { t } = useTranslation(['transcript', 'app'])
  const name = useSpeakerName()(speaker.name)
  const [text, setText] = useState<string | null>(null)
  function submit(event: FormEvent) {
    event.preventDefault()
    const next = text?.trim() ?? ''
    setText(null)
    if (next && next !== name) rename?.({ [speaker.name]: next })
  }
  if (text !== null && rename)
    return (
      <li>
        <form className="talk-name" onSubmit={submit}>
          <input
            // biome-ignore lint/a11y/noAutofocus: the reader just asked to write here
            autoFocus
            value={text}
            maxLength={100}
            dir="auto"
            aria-label={t('nameOf', { name })}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={(event) => event.key === 'Escape' && setText(null)}
          />
          <button type="submit" className="button">
            {t('app:call.save')}
          </button>
        </form>
      </li>
    )
  return (
    <li className={`talk-who said-${speaker.colour}`}>
      <bdi>{name}</bdi> {children}
      {rename && (
        <button
          type="button"
          className="icon-button small"
          aria-label={t('rename', { name })}
          onClick={() => setText(name)}
        >
          <Icon name="edit" />
        </button>
      )}
    </li>
  )
}
