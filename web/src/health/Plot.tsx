import { useTranslation } from '../i18n'
import type { Sample } from './figures'

const WIDTH = 200
const HEIGHT = 40

interface Props {
  samples: Sample[]
  of: 'depth' | 'ready' | 'failed'
  title: string
  most?: number // the top of the plot; else the greatest value
}

/** One figure over time, oldest first. */
export function Plot({ samples, of, title, most }: Props) {
  const { t } = useTranslation()
  const first = samples[0]
  const last = samples.at(-1)
  if (!first || !last || samples.length < 2) return null
  const top = most ?? Math.max(...samples.map((sample) => sample[of]), of === 'depth' ? 10 : 0.01)
  const span = Math.max(1, last.at - first.at)
  const points = samples.map((sample) => {
    const x = ((sample.at - first.at) / span) * WIDTH
    const y = HEIGHT - 2 - (sample[of] / top) * (HEIGHT - 4)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  const minutes = Math.max(1, Math.round(span / 60_000))
  return (
    <svg
      className="plot"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t('health.trend', { what: title, minutes })}
    >
      <polygon className="plot-area" points={`0,${HEIGHT} ${points.join(' ')} ${WIDTH},${HEIGHT}`} />
      <polyline className="plot-line" points={points.join(' ')} vectorEffect="non-scaling-stroke" />
    </svg>
  )
}
