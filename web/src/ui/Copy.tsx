import { useState } from 'react'
import { useTranslation } from '../i18n'
import { Icon } from './Icon'

/** Says itself that it copied: while a dialog is open, screen readers do not read messages outside of it. */
export function Copy({ text, words = false }: { text: string; words?: boolean }) {
  const { t } = useTranslation()
  const [copied, setCopied] = useState<string | null>(null)
  const done = copied === text
  if (!navigator.clipboard) return null // over plain HTTP from elsewhere: the text can be marked
  async function copy() {
    await navigator.clipboard.writeText(text)
    setCopied(text)
  }
  return (
    <>
      <button
        type="button"
        className={words ? 'button' : 'icon-button small'}
        aria-label={words ? undefined : `${t('call.copy')}: ${text.slice(0, 40)}`}
        onClick={() => void copy()}
      >
        <Icon name={done ? 'check' : 'copy'} />
        {words && t('call.copy')}
      </button>
      <span role="status" className="unseen">
        {done && t('call.copied')}
      </span>
    </>
  )
}
