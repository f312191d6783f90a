import { lazy, Suspense, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Icon } from '../ui/Icon'

const load = () => import('./Menu')
const Opened = lazy(load)

/** A button until it is pressed: the code of menus is not part of the first page. */
export function AccountMenu() {
  const { t } = useTranslation()
  const [wanted, setWanted] = useState(false)
  const button = (
    <button
      type="button"
      className="icon-button"
      aria-label={t('menu.open')}
      aria-haspopup="menu"
      aria-expanded={false}
      onPointerEnter={load}
      onFocus={load}
      onClick={() => setWanted(true)}
    >
      <Icon name="person" />
    </button>
  )
  return wanted ? (
    <Suspense fallback={button}>
      <Opened />
    </Suspense>
  ) : (
    button
  )
}
