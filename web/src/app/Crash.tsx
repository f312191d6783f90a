import i18next from 'i18next'
import { Component, type ReactNode } from 'react'

/** The last resort: a component threw. */
export class Crash extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false }

  static getDerivedStateFromError() {
    return { broken: true }
  }

  override render() {
    if (!this.state.broken) return this.props.children
    return (
      <main className="page notice">
        <h1>{i18next.t('crash.title')}</h1>
        <p>{i18next.t('crash.text')}</p>
        <button type="button" className="button" onClick={() => location.reload()}>
          {i18next.t('crash.reload')}
        </button>
      </main>
    )
  }
}
