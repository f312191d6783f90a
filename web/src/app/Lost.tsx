import { Link } from 'react-router'
import { useTranslation } from '../i18n'
import { Notice } from '../ui/Notice'

export function Lost() {
  const { t } = useTranslation()
  return (
    <main id="main" className="page">
      <Notice title={t('lost.title')} text={t('lost.text')} heading={1}>
        <Link className="button" to="/">
          {t('lost.home')}
        </Link>
      </Notice>
    </main>
  )
}
