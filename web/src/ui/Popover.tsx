// A button with a panel below it. Escape and a press elsewhere close it; Escape gives the keyboard back to the button.
import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from 'react'
import { Icon, type IconName } from './Icon'
import './dropdown.css'
import './popover.css'

interface Props {
  label: string // the name of the panel
  words?: string // on the button; else the label
  icon?: IconName
  bare?: boolean // the icon alone
  count?: number // of what is set within
  set?: boolean
  wide?: boolean
  children: (close: () => void) => ReactNode
}

export function Popover({ label, words, icon, bare = false, count = 0, set = false, wide = false, children }: Props) {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const place = useRef<HTMLDivElement>(null)
  const panel = useRef<HTMLDivElement>(null)
  const id = useId()
  const close = () => {
    setOpen(false)
    button.current?.focus()
  }
  // It stands below the beginning of its button, or below its end where there is no room for that.
  useLayoutEffect(() => {
    const it = panel.current
    if (!open || !it) return
    const { left, right } = it.getBoundingClientRect()
    it.classList.toggle('dropdown-end', left < 8 || right > document.documentElement.clientWidth - 8)
  }, [open])
  useEffect(() => {
    if (!open) return
    const outside = ({ target }: Event) => {
      if (target instanceof Node && !place.current?.contains(target)) setOpen(false)
    }
    document.addEventListener('pointerdown', outside)
    return () => document.removeEventListener('pointerdown', outside)
  }, [open])
  function pressed(event: KeyboardEvent) {
    if (event.key !== 'Escape' || !open) return
    event.preventDefault()
    event.stopPropagation()
    close()
  }
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only hears the Escape of what is inside
    <div className="dropdown-place popover-place" ref={place} onKeyDown={pressed}>
      <button
        ref={button}
        type="button"
        className={set || count > 0 ? 'button popover-button set' : 'button popover-button'}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        aria-label={bare ? label : words && words !== label ? `${label}: ${words}` : undefined}
        data-tip={bare ? label : undefined}
        onClick={() => setOpen(!open)}
      >
        {icon && <Icon name={icon} />}
        {!bare && <span>{words ?? label}</span>}
        {count > 0 && <span className="count">{count}</span>}
        {!bare && <Icon name="chevron" />}
      </button>
      {open && (
        <div
          ref={panel}
          id={id}
          role="dialog"
          aria-label={label}
          className={wide ? 'dropdown popover popover-wide' : 'dropdown popover'}
        >
          {children(close)}
        </div>
      )}
    </div>
  )
}
