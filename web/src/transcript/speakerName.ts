// What a speaker is called: in the reader's language, where nobody gave a name.
import { useCallback } from 'react'
import { useTranslation } from '../i18n'

export function useSpeakerName() {
  const { t } = useTranslation('transcript')
  return useCallback((name: string) => t(`speaker.${name}`, { defaultValue: name }), [t])
}
