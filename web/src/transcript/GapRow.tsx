// A gap in a transcript, with the times of its beginning and its end.
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import type { Place } from './LineRow'
import type { GapLine } from './lines'

interface Props {
  place: Place
  line: GapLine
  isStop: boolean
  seek: (at: number) => void
}

export function GapRow({ place, line, isStop, seek }: Props) {
  const { t } = useTranslation('transcript')
  const { clock } = useFormat()
  const [from, to] = [clock(line.start), clock(line.end)]
  return (
    <div {...place} className="line line-gap">
      <button
        type="button"
        className="quiet digits line-time"
        tabIndex={isStop ? 0 : -1}
        aria-label={t('playFrom', { time: from })}
        onClick={() => seek(line.start)}
      >
        {from}
      </button>
      <p>
        {t('gap', { from, to })} {t(`gaps.${line.reason}`, { defaultValue: '' })}
      </p>
    </div>
  )
}
