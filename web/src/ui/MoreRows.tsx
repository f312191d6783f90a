// The button below a list of which the service has more pages.
import { useTranslation } from '../i18n'

interface Pages {
  hasNextPage: boolean
  isFetchingNextPage: boolean
  fetchNextPage: () => unknown
}

export function MoreRows({ of }: { of: Pages }) {
  const { t } = useTranslation()
  if (!of.hasNextPage) return null
  return (
    <button type="button" className="quiet" disabled={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
      {t('settings.more')}
    </button>
  )
}
