// The place of the player. It may fail to load or to draw: the page around it stays, and so does the sound.
import { Crash } from '../app/Crash'
import { useTranslation } from '../i18n'
import { later } from '../ui/later'
import type { Opened } from './PlayerProvider'

export const PlayerBar = later(() => import('./PlayerBar'), Lost)

export const PlayerPlace = ({ opened }: { opened: Opened }) => (
  <Crash fallback={(again) => <Lost again={again} />}>
    <PlayerBar opened={opened} />
  </Crash>
)

function Lost({ again }: { again: () => void }) {
  const { t } = useTranslation()
  return (
    <section className="player-lost banner" role="alert">
      {t('crash.player')}{' '}
      <button type="button" className="quiet" onClick={again}>
        {t('calls.again')}
      </button>
      <button type="button" className="quiet" onClick={() => location.reload()}>
        {t('crash.reload')}
      </button>
    </section>
  )
}
