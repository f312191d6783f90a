// A button with a menu. Keys as people know them: arrows, Home, End, the first letter, Escape; Tab leaves.
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react'
import { Icon, type IconName } from './Icon'
import './dropdown.css'
import './menu.css'

interface Props {
  label: string
  icon: IconName
  words?: string // shown beside the icon
  className?: string
  children: (close: () => void) => ReactNode
}

export function Menu({ label, icon, words, className = 'icon-button', children }: Props) {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const menu = useRef<HTMLDivElement>(null)
  const id = useId()
  const items = () => [...(menu.current?.querySelectorAll<HTMLElement>('[role^="menuitem"]') ?? [])]
  const close = (focus = true) => {
    setOpen(false)
    if (focus) button.current?.focus()
  }

  useEffect(() => {
    if (!open) return
    menu.current?.querySelector<HTMLElement>('[role^="menuitem"]')?.focus()
    const outside = ({ target }: Event) => {
      if (target instanceof Node && !menu.current?.contains(target) && !button.current?.contains(target)) setOpen(false)
    }
    document.addEventListener('pointerdown', outside)
    return () => document.removeEventListener('pointerdown', outside)
  }, [open])

  function pressed(event: KeyboardEvent) {
    const all = items()
    const at = all.indexOf(document.activeElement as HTMLElement)
    const to = (n: number) => all[(n + all.length) % all.length]?.focus()
    const letter = event.key.length === 1 ? event.key.toLocaleLowerCase() : null
    if (event.key === 'ArrowDown') to(at + 1)
    else if (event.key === 'ArrowUp') to(at < 0 ? -1 : at - 1)
    else if (event.key === 'Home') to(0)
    else if (event.key === 'End') to(-1)
    else if (event.key === 'Escape') close()
    else if (event.key === 'Tab') return close(false)
    else if (letter && letter !== ' ' && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const round = [...all.slice(at + 1), ...all.slice(0, at + 1)]
      round.find((item) => item.textContent?.trim().toLocaleLowerCase().startsWith(letter))?.focus()
    } else return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <div className="dropdown-place menu-place">
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={words ? undefined : label}
        title={words ? label : undefined}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        data-state={open ? 'open' : undefined}
        onClick={() => setOpen(!open)}
        onKeyDown={(event) => {
          if (event.key !== 'ArrowDown') return
          event.preventDefault()
          setOpen(true)
        }}
      >
        <Icon name={icon} />
        {words}
      </button>
      {open && (
        <div
          ref={menu}
          id={id}
          role="menu"
          tabIndex={-1}
          aria-label={label}
          className="dropdown dropdown-end menu"
          onKeyDown={pressed}
        >
          {children(() => close())}
        </div>
      )}
    </div>
  )
}

interface ItemProps {
  icon?: IconName
  checked?: boolean // undefined: it does something; else it is chosen or not
  many?: boolean // several may be chosen
  lang?: string
  act: () => void
  children: ReactNode
}

export function MenuItem({ icon, checked, many = false, lang, act, children }: ItemProps) {
  const mark = checked ? 'check' : icon
  return (
    <button
      type="button"
      {...(checked === undefined
        ? { role: 'menuitem' }
        : { role: many ? 'menuitemcheckbox' : 'menuitemradio', 'aria-checked': checked })}
      tabIndex={-1}
      lang={lang}
      className="menu-item"
      onClick={act}
      onPointerMove={({ currentTarget }) => currentTarget.focus({ preventScroll: true })}
    >
      <span className="menu-tick">{mark && <Icon name={mark} />}</span>
      <span>{children}</span>
    </button>
  )
}

export function MenuGroup({ label, children }: { label: string; children: ReactNode }) {
  const id = useId()
  return (
    <div role="group" aria-labelledby={id} className="menu-group">
      <p id={id} className="menu-label">
        {label}
      </p>
      {children}
    </div>
  )
}
