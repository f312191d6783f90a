// The menu itself: it comes when somebody reaches for it.
import * as Menu from '@radix-ui/react-dropdown-menu'
import { useTranslation } from 'react-i18next'
import { languageOf, languages } from '../i18n/language'
import { useSession, useSignOut } from '../signin/session'
import { Icon } from '../ui/Icon'
import { settings, type Theme, useSettings } from './settings'

const themes: Theme[] = ['auto', 'light', 'dark']

export default function AccountMenuOpened() {
  const { t, i18n } = useTranslation()
  const session = useSession()
  const { language, theme, shortcuts } = useSettings()
  const signOut = useSignOut()
  const stay = (event: Event) => event.preventDefault()
  return (
    <Menu.Root modal={false} defaultOpen dir={i18n.dir()}>
      <Menu.Trigger className="icon-button" aria-label={t('menu.open')}>
        <Icon name="person" />
      </Menu.Trigger>
      <Menu.Content className="menu" align="end" sideOffset={6} collisionPadding={8}>
        <Menu.Label className="menu-who">
          {t('menu.business', { id: session.business_id })} · {t(`role.${session.role}`)}
        </Menu.Label>
        <Menu.Separator className="menu-line" />
        <Menu.Label className="menu-label">{t('menu.language')}</Menu.Label>
        <Menu.RadioGroup
          value={languageOf(language)}
          onValueChange={(to) => settings.set({ language: languageOf(to) })}
        >
          {languages.map(({ code, name }) => (
            <Menu.RadioItem key={code} value={code} className="menu-item" lang={code} onSelect={stay}>
              <span className="menu-tick">
                <Menu.ItemIndicator>
                  <Icon name="check" />
                </Menu.ItemIndicator>
              </span>
              {name}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Separator className="menu-line" />
        <Menu.Label className="menu-label">{t('menu.theme')}</Menu.Label>
        <Menu.RadioGroup value={theme} onValueChange={(to) => settings.set({ theme: to as Theme })}>
          {themes.map((name) => (
            <Menu.RadioItem key={name} value={name} className="menu-item" onSelect={stay}>
              <span className="menu-tick">
                <Menu.ItemIndicator>
                  <Icon name="check" />
                </Menu.ItemIndicator>
              </span>
              {t(`menu.${name}`)}
            </Menu.RadioItem>
          ))}
        </Menu.RadioGroup>
        <Menu.Separator className="menu-line" />
        <Menu.CheckboxItem
          className="menu-item"
          checked={shortcuts}
          onCheckedChange={(on) => settings.set({ shortcuts: on })}
          onSelect={stay}
        >
          <span className="menu-tick">
            <Menu.ItemIndicator>
              <Icon name="check" />
            </Menu.ItemIndicator>
          </span>
          <span>
            {t('menu.shortcuts')}
            <small>{t('menu.shortcutsHelp')}</small>
          </span>
        </Menu.CheckboxItem>
        <Menu.Separator className="menu-line" />
        <Menu.Item className="menu-item" onSelect={() => signOut.mutate()}>
          <span className="menu-tick">
            <Icon name="out" />
          </span>
          {t('menu.signOut')}
        </Menu.Item>
      </Menu.Content>
    </Menu.Root>
  )
}
