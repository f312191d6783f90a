// The other party of a call. Numbers run from left to right in every language, names as they are.

import type { Call } from '../api/types'
import { useTranslation } from '../i18n'
import { useSession } from '../signin/session'
import { countryOf, isNumber, readable } from './number'
import './who.css'

export const nameOf = (call: Call): string | null => call.customer_name ?? call.caller_name ?? call.customer_number

export function PhoneNumber({ number }: { number: string }) {
  const home = countryOf(useSession().business?.number_prefix ?? null)
  return (
    <bdi dir="ltr" className="digits number">
      {readable(number, home)}
    </bdi>
  )
}

/** A party of a call: a number, or an address such as client:rona. */
export function Party({ text }: { text: string }) {
  return isNumber(text) ? <PhoneNumber number={text} /> : <bdi dir="ltr">{text.replace(/^(client|sip):/, '')}</bdi>
}

export function Who({ call }: { call: Call }) {
  const { t } = useTranslation()
  const name = call.customer_name ?? call.caller_name
  const number = call.customer_number
  if (!name) return <span className="who">{number ? <PhoneNumber number={number} /> : t('calls.unknown')}</span>
  return (
    <span className="who">
      <bdi className="who-name">{name}</bdi>
      {number && <PhoneNumber number={number} />}
    </span>
  )
}
