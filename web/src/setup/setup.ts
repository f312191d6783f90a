// The findings of the service that keep calls from being heard, and those that stop everything. Pure.
import type { Finding, Setup } from '../api/types'

/** The findings that a person has to mend, the worst first. */
export function troublesOf(setup: Setup): Finding[] {
  const rank = { fail: 0, warn: 1, ok: 2 }
  return setup.findings.filter(({ level }) => level !== 'ok').sort((a, b) => rank[a.level] - rank[b.level])
}

export type StepState = 'done' | 'wrong' | 'waits' | 'open'

/** The steps of the first hour. */
export function stepsOf(setup: Setup): { credentials: StepState; webhook: StepState; recording: StepState } {
  const { credentials, last_webhook } = setup
  const webhook = last_webhook === null ? 'waits' : last_webhook.result === 'refused' ? 'wrong' : 'done'
  return {
    credentials: { ok: 'done', refused: 'wrong', missing: 'open', unknown: 'waits' }[credentials] as StepState,
    webhook,
    recording: 'waits',
  }
}

/** The webhook addresses to enter at the provider. Their fragments ask the provider to try again when an answer is lost. */
export function urlsOf(setup: Setup, base: string): { call: string; recording: string } {
  const [call = '', recording = ''] = setup.webhook_urls.map((url) => {
    const whole = new URL(url, base).href
    return whole.includes('#') ? whole : `${whole}#rc=3&rp=all`
  })
  return { call, recording }
}
