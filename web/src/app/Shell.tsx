// What surrounds every page: the bar above, the player below, what is said aloud.
import { type ReactNode, useEffect } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, NavLink, useLocation } from 'react-router'
import { LiveBadge } from '../live/LiveBadge'
import { useOnline } from '../live/live'
import { PlayerPlace } from '../player/PlayerPlace'
import { usePlayer } from '../player/PlayerProvider'
import { useSession } from '../signin/session'
import { Announcer } from '../ui/Announcer'
import { Logo } from '../ui/Icon'
import { AccountMenu } from './AccountMenu'
import './shell.css'

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const session = useSession()
  const online = useOnline()
  const { pathname } = useLocation()
  const { opened } = usePlayer()
  useEffect(() => {
    if (pathname.startsWith('/calls/')) window.scrollTo(0, 0)
  }, [pathname])
  return (
    <>
      <a className="skip" href={`${pathname.slice(1)}#main`} onClick={skip}>
        {t('skip')}
      </a>
      <header className="top">
        <div className="top-inner">
          <Link to="/" className="brand" aria-label={t('title')}>
            <Logo />
            <span aria-hidden="true">callreel</span>
          </Link>
          <nav aria-label={t('nav.main')}>
            <NavLink to="/" end>
              {t('nav.calls')}
            </NavLink>
            {session.role === 'admin' && <NavLink to="/health">{t('nav.health')}</NavLink>}
          </nav>
          <LiveBadge />
          <AccountMenu />
        </div>
      </header>
      {!online && (
        <p className="banner" role="status">
          {t('live.offlineText')}
        </p>
      )}
      {children}
      {opened && <PlayerPlace opened={opened} />}
      <Announcer />
    </>
  )
}

/** <base> would make another page of a link to a fragment. */
function skip(event: React.MouseEvent) {
  event.preventDefault()
  const main = document.getElementById('main')
  main?.setAttribute('tabindex', '-1')
  main?.focus()
}
