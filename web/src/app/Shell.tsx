// The frame of every page: the bar above, the player below, and messages for screen readers.
import { type ReactNode, type RefObject, useEffect, useLayoutEffect, useRef } from 'react'
import { Link, NavLink, useLocation } from 'react-router'
import { useTranslation } from '../i18n'
import { LiveBadge } from '../live/LiveBadge'
import { useLiveEvents, useOnline } from '../live/live'
import { useReachable } from '../live/reachable'
import { PlayerPlace } from '../player/PlayerPlace'
import { useOpened } from '../player/PlayerProvider'
import { useSession } from '../signin/session'
import { Announcer } from '../ui/Announcer'
import { Logo } from '../ui/Icon'
import { Tips } from '../ui/Tips'
import { AccountMenu } from './AccountMenu'
import { useListPath } from './lastList'
import { releaseMayBeNew, useNewRelease } from './release'
import './shell.css'

export function Shell({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const session = useSession()
  const list = useListPath()
  const { pathname } = useLocation()
  const opened = useOpened()
  useEffect(() => {
    if (pathname.startsWith('/calls/')) window.scrollTo(0, 0)
  }, [pathname])
  const top = useRef<HTMLElement>(null)
  useRoomAbove(top)
  return (
    <>
      <a className="skip" href={`${pathname.slice(1)}#main`} onClick={skip}>
        {t('skip')}
      </a>
      <header className="top" ref={top}>
        <div className="top-inner">
          <Link to={list} className="brand" aria-label={t('title')}>
            <Logo />
            <span aria-hidden="true">callreel</span>
          </Link>
          <nav aria-label={t('nav.main')}>
            <NavLink to={list} end>
              {t('nav.calls')}
            </NavLink>
            {session.role === 'admin' && (
              <>
                <NavLink to="/health">{t('nav.health')}</NavLink>
                <NavLink to="/settings">{t('nav.settings')}</NavLink>
              </>
            )}
          </nav>
          {session.business && (
            <p className="top-business">
              <bdi>{session.business.name}</bdi>
            </p>
          )}
          <LiveBadge />
          <AccountMenu />
        </div>
      </header>
      <Banners />
      {children}
      {opened && <PlayerPlace opened={opened} />}
      <Announcer />
      <Tips />
    </>
  )
}

const MOST_ABOVE = 0.2 // of the window's height

/** Tells elements that stick below the bar its height. A bar that large text makes high scrolls away with the page. */
function useRoomAbove(top: RefObject<HTMLElement | null>) {
  useLayoutEffect(() => {
    const root = document.documentElement
    const measure = () => {
      const height = top.current?.offsetHeight ?? 0
      const high = height > MOST_ABOVE * window.innerHeight
      root.classList.toggle('high-top', high)
      root.style.setProperty('--top', `${high ? 0 : height}px`)
    }
    const size = new ResizeObserver(measure)
    if (top.current) size.observe(top.current)
    window.addEventListener('resize', measure)
    return () => {
      size.disconnect()
      window.removeEventListener('resize', measure)
    }
  }, [top])
}

/** Says what is wrong with the connection, and whether the server has a newer release of this page. */
function Banners() {
  const { t } = useTranslation()
  const online = useOnline()
  const answers = useReachable()
  const isNew = useNewRelease()
  useLiveEvents((event) => {
    if (event.kind === 'reset') releaseMayBeNew() // the stream was away: perhaps a restart
  })
  const wrong = online ? (answers ? null : 'live.downText') : 'live.offlineText'
  return (
    <div role="status">
      {wrong && <p className="banner">{t(wrong)}</p>}
      {isNew && (
        <p className="banner banner-news">
          {t('crash.newReleaseText')}{' '}
          <button type="button" className="quiet" onClick={() => location.reload()}>
            {t('crash.reload')}
          </button>
        </p>
      )}
    </div>
  )
}

/** <base> would make another page of a link to a fragment. */
function skip(event: React.MouseEvent) {
  event.preventDefault()
  const main = document.getElementById('main')
  main?.setAttribute('tabindex', '-1')
  main?.focus()
}
