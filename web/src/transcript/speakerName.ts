// The name of a speaker: the one that people gave, otherwise one in the reader's language.
import { useCallback } from 'react'
import { useTranslation } from '../i18n'

export function useSpeakerName() {
  const { t } = useTranslation('transcript')
  return useCallback((name: string) => t(`speaker.${name}`, { defaultValue: name }), [t])
}
