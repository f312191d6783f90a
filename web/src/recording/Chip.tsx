import type { Recording } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useNow } from '../ui/useNow'
import { told } from './state'
import './chip.css'

/** The state of a recording, in words. `alone`: the reason is told nowhere else, so that a screen reader hears it here. */
export function Chip({ recording, alone = true }: { recording: Recording; alone?: boolean }) {
  const { t } = useTranslation(['app', 'errors'])
  const { percent } = useFormat()
  const state = told(recording)
  const why = recording.error && state.kind !== 'none' ? t(`errors:${recording.error.code}`) : undefined
  const inside = (
    <>
      {state.kind === 'coming' && <span className="chip-bar" style={{ inlineSize: `${(state.share ?? 0) * 100}%` }} />}
      <span className="chip-text">
        {state.until ? (
          <Again at={state.until} />
        ) : (
          t(`recording.${state.key}`, { percent: state.share === undefined ? '' : percent(state.share) })
        )}
        {alone && why && state.kind !== 'coming' && <span className="unseen">: {why}</span>}
      </span>
    </>
  )
  const kind = `chip chip-${state.kind}`
  // The reason is told by a tip that a finger and the keyboard reach, too.
  return alone && why ? (
    <button type="button" className={`${kind} tipped`} data-status={recording.status} data-tip={why}>
      {inside}
    </button>
  ) : (
    <span className={kind} data-status={recording.status}>
      {inside}
    </span>
  )
}

/** Counts down, a step every few seconds. */
function Again({ at }: { at: string }) {
  const { t } = useTranslation()
  const { until } = useFormat()
  const now = useNow(5000)
  return <>{t('recording.failedAgain', { when: until(new Date(at), now, 'narrow') })}</>
}
