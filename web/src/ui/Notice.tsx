// A state of a page instead of its content: empty, failed, not allowed. Says what to do.
import type { ReactNode } from 'react'
import { Icon, type IconName } from './Icon'

interface Props {
  title: string
  text?: string
  icon?: IconName
  heading?: 1 | 2
  alert?: boolean
  children?: ReactNode
}

export function Notice({ title, text, icon, heading = 2, alert = false, children }: Props) {
  const Heading = heading === 1 ? 'h1' : 'h2'
  return (
    <div className="notice" role={alert ? 'alert' : undefined}>
      {icon && (
        <span className="notice-icon">
          <Icon name={icon} />
        </span>
      )}
      <Heading>{title}</Heading>
      {text && <p>{text}</p>}
      {children && <div className="notice-actions">{children}</div>}
    </div>
  )
}
