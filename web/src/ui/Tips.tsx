// Explains marks in their place: elements with data-tip, under a resting mouse or with the keyboard on them. Those of the
// class tipped do nothing else: a press or a tap tells it at once.
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import './tips.css'

const REST_MS = 350
const MARGIN = 8

const tippedBy = ({ target }: Event, by = '[data-tip]') =>
  target instanceof Element ? target.closest<HTMLElement>(by) : null

export function Tips() {
  const [over, setOver] = useState<HTMLElement | null>(null)
  const tip = useRef<HTMLDivElement>(null)
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = (element: HTMLElement | null, after = 0) => {
      clearTimeout(timer)
      if (after > 0) timer = setTimeout(setOver, after, element)
      else setOver(element)
    }
    const heard: [string, (event: Event) => void][] = [
      ['pointerover', (event) => (event as PointerEvent).pointerType === 'mouse' && tell(tippedBy(event), REST_MS)],
      ['focusin', (event) => tell(tippedBy(event)?.matches(':focus-visible') ? tippedBy(event) : null)],
      ['focusout', () => tell(null)],
      ['click', (event) => tell(tippedBy(event, '.tipped'))],
      ['keydown', (event) => (event as KeyboardEvent).key === 'Escape' && tell(null)],
      ['scroll', () => tell(null)],
    ]
    for (const [type, act] of heard) document.addEventListener(type, act, true)
    return () => {
      clearTimeout(timer)
      for (const [type, act] of heard) document.removeEventListener(type, act, true)
    }
  }, [])
  // Above its element where there is room, within the window.
  useLayoutEffect(() => {
    const it = tip.current
    if (!over || !it) return
    const { left, width, top, bottom } = over.getBoundingClientRect()
    const room = document.documentElement.clientWidth - it.offsetWidth - MARGIN
    it.style.left = `${Math.max(MARGIN, Math.min(room, left + width / 2 - it.offsetWidth / 2))}px`
    it.style.top = `${top > it.offsetHeight + MARGIN ? top - it.offsetHeight - 6 : bottom + 6}px`
  }, [over])
  if (!over?.isConnected) return null
  return (
    <div className="tip" ref={tip} aria-hidden="true" dir="auto">
      {over.dataset.tip}
    </div>
  )
}
