// Names the maker of a session or a link, and the actor of an entry of the audit. The API says `key:ID`, `user:SUB`, `url:ID`,
// `link:ID`, `command` or `service`.
import { useQuery } from '@tanstack/react-query'
import { listKeys } from '../api/api'
import { useTranslation } from '../i18n'

export const keysKey = ['access', 'keys']

/** The words for it, with the names of keys that are still there. */
export function useMakers(): (by: string | null) => string {
  const { t } = useTranslation()
  const { data } = useQuery({ queryKey: keysKey, queryFn: listKeys })
  return (by) => {
    const [kind, id = ''] = by?.split(/:(.*)/s) ?? []
    if (kind === 'key') {
      const key = data?.keys.find(({ key_id }) => String(key_id) === id)
      return key?.name ?? t('settings.keyNumber', { id })
    }
    if (kind === 'user') return id.startsWith('~') ? t('settings.byUser') : id
    if (kind === 'link') return t('settings.byLink')
    if (kind === 'url') return t('audit.byUrl')
    if (kind === 'service') return t('audit.byService')
    return kind === 'command' ? t('settings.byCommand') : t('settings.byUnknown')
  }
}
