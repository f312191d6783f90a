import { useEffect } from 'react'
import { useTranslation } from '../i18n'
import { useSession } from '../signin/session'
import { Notice } from '../ui/Notice'
import { Audit } from './Audit'
import { BusinessSettings } from './BusinessSettings'
import { Keeping } from './Keeping'
import { Keys } from './Keys'
import { Links } from './Links'
import { Together } from './Together'
import '../ui/panels.css'
import './settings.css'

/** The settings of the business that its admins may change. */
export default function SettingsPage() {
  const { t } = useTranslation()
  const admin = useSession().role === 'admin'
  useEffect(() => {
    document.title = `${t('settings.title')} · ${t('title')}`
  }, [t])
  return (
    <main id="main" className="page settings-page">
      {admin ? (
        <>
          <h1>{t('settings.title')}</h1>
          <Together>
            <BusinessSettings />
            <Keys />
            <Links />
            <Keeping />
            <Audit />
          </Together>
        </>
      ) : (
        <Notice title={t('health.forAdmins')} text={t('health.forAdminsText')} icon="person" heading={1} />
      )}
    </main>
  )
}
