// Shown in place of components that threw.
import { Component, type ReactNode } from 'react'
import { words } from '../i18n'

interface Props {
  children: ReactNode
  /** `again` draws the components once more. Without it: the last resort, in place of the whole page. */
  fallback?: (again: () => void) => ReactNode
}

export class Crash extends Component<Props, { broken: boolean }> {
  override state = { broken: false }

  static getDerivedStateFromError() {
    return { broken: true }
  }

  override render() {
    if (!this.state.broken) return this.props.children
    if (this.props.fallback) return this.props.fallback(() => this.setState({ broken: false }))
    return (
      <main className="page notice">
        <h1>{words('crash.title')}</h1>
        <p>{words('crash.text')}</p>
        <button type="button" className="button" onClick={() => location.reload()}>
          {words('crash.reload')}
        </button>
      </main>
    )
  }
}
