// Where the player stands. It may fail to load or to draw: the page around it stays, and so does the sound.
import { Crash } from '../app/Crash'
import { useTranslation } from '../i18n'
import { useChunk } from '../ui/useChunk'
import type { Opened } from './PlayerProvider'
import { loadPlayerBar } from './preload'

export function PlayerPlace({ opened }: { opened: Opened }) {
  const { t } = useTranslation()
  const { chunk, failed, again } = useChunk(loadPlayerBar)
  const lost = (retry: () => void) => (
    <section className="player-lost banner" role="alert">
      {t('crash.player')}{' '}
      <button type="button" className="quiet" onClick={retry}>
        {t('calls.again')}
      </button>
      <button type="button" className="quiet" onClick={() => location.reload()}>
        {t('crash.reload')}
      </button>
    </section>
  )
  if (failed) return lost(again)
  if (!chunk) return null
  const Bar = chunk.default
  return (
    <Crash fallback={lost}>
      <Bar opened={opened} />
    </Crash>
  )
}
