import { useTranslation } from '../i18n'
import { languageOf, languages } from '../i18n/language'
import { useFormat } from '../i18n/useFormat'
import { useSession, useSignOut } from '../signin/session'
import { Menu, MenuGroup, MenuItem } from '../ui/Menu'
import { type Clock, settings, type Theme, useSettings } from './settings'

const themes: Theme[] = ['auto', 'light', 'dark']
const clocks: Clock[] = ['auto', '24', '12']

export function AccountMenu() {
  const { t } = useTranslation()
  const session = useSession()
  const { language, theme, clock, shortcuts } = useSettings()
  const signOut = useSignOut()
  const { zone } = useFormat()
  const spoken = languageOf(language)
  return (
    <Menu label={t('menu.open')} icon="person">
      {(close) => (
        <>
          <p className="menu-who">
            <bdi>{session.business?.name ?? t('menu.business', { id: session.business_id })}</bdi> ·{' '}
            {t(`role.${session.role}`)}
          </p>
          <MenuGroup label={t('menu.language')}>
            {languages.map(({ code, name }) => (
              <MenuItem
                key={code}
                lang={code}
                checked={code === spoken}
                act={() => settings.set({ language: languageOf(code) })}
              >
                {name}
              </MenuItem>
            ))}
          </MenuGroup>
          <MenuGroup label={t('menu.theme')}>
            {themes.map((name) => (
              <MenuItem key={name} checked={name === theme} act={() => settings.set({ theme: name })}>
                {t(`menu.${name}`)}
              </MenuItem>
            ))}
          </MenuGroup>
          <MenuGroup label={t('menu.clock', { zone: zone() })}>
            {clocks.map((hours) => (
              <MenuItem key={hours} checked={hours === clock} act={() => settings.set({ clock: hours })}>
                {t(`menu.clock${hours}`)}
              </MenuItem>
            ))}
          </MenuGroup>
          <MenuGroup label={t('menu.keyboard')}>
            <MenuItem checked={shortcuts} many act={() => settings.set({ shortcuts: !shortcuts })}>
              {t('menu.shortcuts')}
              <small>{t('menu.shortcutsHelp')}</small>
            </MenuItem>
          </MenuGroup>
          <MenuItem
            icon="out"
            act={() => {
              close()
              signOut.mutate()
            }}
          >
            {t('menu.signOut')}
          </MenuItem>
        </>
      )}
    </Menu>
  )
}
