import { useTranslation } from '../i18n'
import { useLiveState, useOnline } from './live'

/** Says whether the page is up to date. */
export function LiveBadge() {
  const { t } = useTranslation()
  const state = useLiveState()
  const online = useOnline()
  const name = !online
    ? 'offline'
    : state === 'open'
      ? 'live'
      : state === 'connecting' || state === 'asleep'
        ? 'connecting'
        : 'polling'
  return (
    <span className={`live live-${name}`} data-live={name}>
      {t(`live.${name}`)}
    </span>
  )
}
