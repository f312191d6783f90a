import { useTranslation, withAllWords } from '../i18n'
import { useSession } from '../signin/session'
import { Notice } from '../ui/Notice'
import { useChunk } from '../ui/useChunk'

const load = withAllWords(() => import('../setup/Checklist'))

/** Shown while no call was ever reported. An admin sees what is missing; others see that no call came yet. */
export function FirstHour() {
  const { t } = useTranslation()
  return useSession().role === 'admin' ? (
    <ForAdmins />
  ) : (
    <Notice title={t('calls.empty')} text={t('calls.emptyText')} icon="calls" />
  )
}

function ForAdmins() {
  const { t } = useTranslation()
  const { chunk, failed, again } = useChunk(load)
  if (chunk) return <chunk.default />
  return failed ? (
    <Notice title={t('calls.empty')} text={t('crash.page')} icon="alert" alert>
      <button type="button" className="button" onClick={again}>
        {t('calls.again')}
      </button>
    </Notice>
  ) : null
}
