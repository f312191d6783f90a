// The lines that are seen, of however many there are. They follow what is heard until somebody scrolls elsewhere.
// Keys: up and down go from line to line, left and right from word to word as they are read; Enter plays from there; F2 corrects.
import { useVirtualizer } from '@tanstack/react-virtual'
import {
  type Ref,
  useCallback,
  useEffect,
  useImperativeHandle,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import type { TranscriptSegment } from '../api/types'
import { useTranslation } from '../i18n'
import { announce } from '../ui/Announcer'
import { Icon } from '../ui/Icon'
import type { Found } from './find'
import { GapRow } from './GapRow'
import type { HeardNow } from './heard'
import { LineRow } from './LineRow'
import { isFromRight, type Line } from './lines'
import type { Speaker } from './speakers'

export interface LinesHandle {
  /** Scrolls there, and stays. */
  show(line: number): void
}
interface Props {
  ref: Ref<LinesHandle>
  lines: readonly Line[]
  speakers: readonly Speaker[]
  heard: HeardNow
  found: readonly Found[]
  chosen: number
  seek: (at: number) => void
  replace: ((at: number, segment: TranscriptSegment) => Promise<unknown>) | null
  label: string
  nameOf: (speaker: string) => string
}

const NONE: readonly Found[] = []
const LETTERS = 64 // of a row, about
const AHEAD = 8

/** Nearly the height that a line will have: the list jumps less when it is measured. */
const heightOf = (line: Line | undefined) =>
  line?.kind === 'said' ? 34 + 22 * Math.ceil((line.segment.text.length + 1) / LETTERS) : 46

export function Lines({ ref, lines, speakers, heard, found, chosen, seek, replace, label, nameOf }: Props) {
  const { t } = useTranslation('transcript')
  const box = useRef<HTMLDivElement>(null)
  const [active, setActive] = useState(0)
  const [cursor, setCursor] = useState(-1) // the word where the keyboard is; -1: the line as a whole
  const [editing, setEditing] = useState<number | null>(null)
  const [following, setFollowing] = useState(true)
  const focusSoon = useRef(false)
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: (i) => heightOf(lines[i]),
    overscan: AHEAD,
  })

  const keepInView = useCallback(
    (line: number) => {
      const row = box.current?.querySelector(`[data-line="${line}"]`)?.getBoundingClientRect()
      const seen = box.current?.getBoundingClientRect()
      if (row && seen && row.top >= seen.top && row.bottom <= seen.bottom) return
      virtual.scrollToIndex(line, { align: 'center' })
    },
    [virtual],
  )
  useImperativeHandle(ref, () => ({
    show(line: number) {
      setFollowing(false)
      keepInView(line)
    },
  }))

  // Keeps the line that is heard in view.
  useEffect(() => {
    if (!following) return
    let before = -1
    const follow = () => {
      if (heard.line < 0 || heard.line === before) return
      before = heard.line
      keepInView(before)
    }
    follow()
    return heard.subscribe(follow)
  }, [heard, following, keepInView])
  const isOpen = useSyncExternalStore(heard.subscribe, () => heard.line >= 0)

  const byLine = useMemo(() => {
    const all = new Map<number, Found[]>()
    for (const one of found) {
      const here = all.get(one.line)
      if (here) here.push(one)
      else all.set(one.line, [one])
    }
    return all
  }, [found])
  const chosenFound = found[chosen]

  function move(to: number) {
    const line = Math.min(lines.length - 1, Math.max(0, to))
    setActive(line)
    setCursor(-1)
    setFollowing(false)
    focusSoon.current = true
    keepInView(line)
  }
  function step(by: 1 | -1) {
    const line = lines[active]
    if (line?.kind !== 'said') return
    const next = Math.min(line.words.length - 1, Math.max(0, cursor + by))
    const word = line.words[next]
    if (!word) return
    setCursor(next)
    announce(line.segment.text.slice(word.from, word.to))
  }
  function pressed(event: KeyboardEvent) {
    const target = event.target as HTMLElement
    if (target.closest('textarea, select, input') || event.ctrlKey || event.altKey || event.metaKey) return
    const line = lines[active]
    const text = line?.kind === 'said' ? line.segment.text : ''
    const word = line?.kind === 'said' ? line.words[cursor] : undefined
    if (event.key === 'ArrowDown') move(active + 1)
    else if (event.key === 'ArrowUp') move(active - 1)
    else if (event.key === 'Home') move(0)
    else if (event.key === 'End') move(lines.length - 1)
    else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight')
      step((event.key === 'ArrowRight') === isFromRight(text) ? -1 : 1)
    else if (event.key === 'Enter' && word && target.closest('.line-time')) seek(word.start)
    else if (event.key === 'F2' && replace && line?.kind === 'said') setEditing(active)
    else return
    event.preventDefault()
  }
  function clicked(event: MouseEvent) {
    const target = event.target as HTMLElement
    const row = Number(target.closest<HTMLElement>('[data-line]')?.dataset.line ?? -1)
    const word = target.closest<HTMLElement>('[data-word]')?.dataset.word
    const line = lines[row]
    if (line?.kind !== 'said') return
    setActive(row)
    if (word === undefined || !getSelection()?.isCollapsed) return // somebody marks text
    const at = line.words[Number(word)]
    if (!at) return
    setCursor(-1)
    setFollowing(true)
    seek(at.start)
  }
  const latest = useRef({ pressed, clicked })
  useEffect(() => {
    latest.current = { pressed, clicked }
  })
  useEffect(() => {
    const it = box.current
    if (!it) return
    const aside = ({ type, target }: Event) => (type !== 'pointerdown' || target === it) && setFollowing(false)
    const undo = new AbortController()
    const { signal } = undo
    it.addEventListener('keydown', (event) => latest.current.pressed(event), { signal })
    it.addEventListener('click', (event) => latest.current.clicked(event), { signal })
    for (const type of ['wheel', 'touchmove', 'pointerdown'])
      it.addEventListener(type, aside, { passive: true, signal })
    return () => undo.abort()
  }, [])

  const rows = virtual.getVirtualItems()
  const stop = rows.some(({ index }) => index === active) ? active : rows[0]?.index // of the Tab key
  // The row may only now be there.
  useEffect(() => {
    if (!focusSoon.current) return
    const button = box.current?.querySelector<HTMLElement>(`[data-line="${active}"] .line-time`)
    if (!button) return
    focusSoon.current = false
    button.focus({ preventScroll: true })
  })

  return (
    <div className="lines-place">
      <div className="lines" ref={box} role="list" aria-label={label}>
        <div className="lines-all" role="presentation" style={{ blockSize: virtual.getTotalSize() }}>
          {rows.map(({ index, key, start }) => {
            const line = lines[index]
            if (!line) return null
            const place = {
              ref: virtual.measureElement,
              'data-index': index,
              'data-line': index,
              role: 'listitem',
              'aria-setsize': lines.length,
              'aria-posinset': index + 1,
              style: { transform: `translateY(${start}px)` },
            }
            if (line.kind === 'gap')
              return <GapRow key={key} place={place} line={line} isStop={index === stop} seek={seek} />
            const here = byLine.get(index) ?? NONE
            return (
              <LineRow
                key={key}
                place={place}
                index={index}
                line={line}
                speakers={speakers}
                heard={heard}
                found={here}
                chosen={chosenFound?.line === index ? here.indexOf(chosenFound) : -1}
                cursor={index === active ? cursor : -1}
                isStop={index === stop}
                seek={(at) => {
                  setFollowing(true)
                  seek(at)
                }}
                enter={() => {
                  if (index !== active) setCursor(-1)
                  setActive(index)
                }}
                edit={replace ? () => setEditing(index) : null}
                editing={editing === index}
                store={
                  replace &&
                  (async (segment) => {
                    if (segment) await replace(line.at, segment)
                    setEditing(null)
                    focusSoon.current = true
                  })
                }
                nameOf={nameOf}
              />
            )
          })}
        </div>
      </div>
      {isOpen && !following && (
        <button type="button" className="button lines-follow" onClick={() => setFollowing(true)}>
          <Icon name="chevron" />
          {t('follow')}
        </button>
      )}
    </div>
  )
}
