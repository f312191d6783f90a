import { useTranslation } from 'react-i18next'
import { announce } from './Announcer'
import { Icon } from './Icon'

export function Copy({ text, words = false }: { text: string; words?: boolean }) {
  const { t } = useTranslation()
  async function copy() {
    await navigator.clipboard.writeText(text)
    announce(t('call.copied'), { shown: true })
  }
  return (
    <button
      type="button"
      className={words ? 'button' : 'icon-button small'}
      aria-label={words ? undefined : `${t('call.copy')}: ${text.slice(0, 40)}`}
      onClick={() => void copy()}
    >
      <Icon name="copy" />
      {words && t('call.copy')}
    </button>
  )
}
