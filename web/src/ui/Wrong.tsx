import { codeOf } from '../api/http'
import { useTranslation } from '../i18n'

/** Why a request was refused, in words; nothing without a reason. */
export function Wrong({ why }: { why: Error | null }) {
  const { t } = useTranslation(['app', 'errors'])
  if (!why) return null
  return (
    <p className="wrong" role="alert">
      {t(`errors:${codeOf(why)}`)}
    </p>
  )
}
