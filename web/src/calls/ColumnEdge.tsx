// The edge between the heads of two columns: dragged, or moved by the arrows; pressed twice, all columns have their usual widths.
import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react'
import { useTranslation } from '../i18n'
import { LEAST_PX, resized, type Widths } from './columns'

const STEP_PX = 16

interface Props {
  column: string
  next: string
  /** `kept`: the pointer was released. Null: the usual widths. */
  resize: (widths: Widths | null, kept: boolean) => void
}

/** The widths as they are, by `data-column`. */
function measured(edge: Element): Widths {
  const heads = edge.closest('[role="row"]')?.querySelectorAll<HTMLElement>('[data-column]') ?? []
  return Object.fromEntries(
    [...heads].map((head) => [head.dataset.column, Math.round(head.getBoundingClientRect().width)]),
  )
}

const isRtl = (edge: Element) => getComputedStyle(edge).direction === 'rtl'

export function ColumnEdge({ column, next, resize }: Props) {
  const { t } = useTranslation()
  const [px, setPx] = useState(LEAST_PX) // what a screen reader is told, once it is here
  const drag = useRef<{ x: number; widths: Widths; now: Widths | null } | null>(null)
  function begin(event: PointerEvent<HTMLElement>) {
    if (event.button !== 0) return
    event.currentTarget.setPointerCapture(event.pointerId)
    drag.current = { x: event.clientX, widths: measured(event.currentTarget), now: null }
  }
  function move(event: PointerEvent<HTMLElement>) {
    const from = drag.current
    if (!from) return
    const by = (event.clientX - from.x) * (isRtl(event.currentTarget) ? -1 : 1)
    from.now = resized(from.widths, column, next, by)
    resize(from.now, false)
  }
  function end() {
    if (drag.current?.now) resize(drag.current.now, true)
    drag.current = null
  }
  function pressed(event: KeyboardEvent<HTMLElement>) {
    const by = { ArrowRight: STEP_PX, ArrowLeft: -STEP_PX }[event.key]
    if (by === undefined) return
    event.preventDefault()
    event.stopPropagation() // the arrows are the player's elsewhere
    const edge = event.currentTarget
    const widths = resized(measured(edge), column, next, isRtl(edge) ? -by : by)
    setPx(widths[column] ?? LEAST_PX)
    resize(widths, true)
  }
  return (
    <span
      role="separator"
      aria-orientation="vertical"
      aria-label={t('calls.widthOf', { name: t(`calls.columns.${column}`) })}
      aria-valuenow={px}
      aria-valuemin={LEAST_PX}
      aria-valuemax={2000}
      tabIndex={0}
      className="column-edge"
      onFocus={(event) => setPx(measured(event.currentTarget)[column] ?? LEAST_PX)}
      onPointerDown={begin}
      onPointerMove={move}
      onPointerUp={end}
      onPointerCancel={end}
      onKeyDown={pressed}
      onDoubleClick={() => resize(null, true)}
    />
  )
}
