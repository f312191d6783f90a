// A page that is loaded when it is opened. It may fail to load or to draw: the frame and the player stay, and there is a way on.
import { type ComponentType, useCallback } from 'react'
import { useTranslation, withAllWords } from '../i18n'
import { usePlayer } from '../player/PlayerProvider'
import { isOn } from '../player/phase'
import { Notice } from '../ui/Notice'
import { useChunk } from '../ui/useChunk'
import { loadOfRelease, useNewRelease } from './release'

export function LazyPage({ load }: { load: () => Promise<{ default: ComponentType }> }) {
  const { engine } = usePlayer()
  const loadNow = useCallback(() => loadOfRelease(withAllWords(load), () => isOn(engine.state.phase)), [load, engine])
  const { chunk, failed, again } = useChunk(loadNow)
  const { t } = useTranslation()
  if (chunk) return <chunk.default />
  if (failed) return <PageLost again={again} />
  return (
    <main id="main" className="page" aria-busy="true">
      <p role="status" className="late">
        {t('crash.loading')}
      </p>
    </main>
  )
}

export function PageLost({ again }: { again: () => void }) {
  const { t } = useTranslation()
  const isNew = useNewRelease()
  return (
    <main id="main" className="page">
      <Notice
        title={t(isNew ? 'crash.newRelease' : 'crash.title')}
        text={t(isNew ? 'crash.newReleaseText' : 'crash.page')}
        icon="alert"
        heading={1}
        alert
      >
        {!isNew && (
          <button type="button" className="button" onClick={again}>
            {t('calls.again')}
          </button>
        )}
        <button type="button" className={isNew ? 'button primary' : 'button'} onClick={() => location.reload()}>
          {t('crash.reload')}
        </button>
      </Notice>
    </main>
  )
}
