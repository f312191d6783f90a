// Whom a call was with. Numbers run from left to right in every language, names as they are.
import { useTranslation } from 'react-i18next'
import type { Call } from '../api/types'
import './who.css'

export const nameOf = (call: Call): string | null => call.customer_name ?? call.caller_name ?? call.customer_number

/** +442079460101 as +44 2079 460101: groups are easier to read. Anything else as it is. */
export function readable(number: string): string {
  const found = /^\+(1|7|972|[2-9]\d)(\d{2,4})(\d{3})(\d{4})$/.exec(number)
  return found ? `+${found[1]} ${found[2]} ${found[3]} ${found[4]}` : number
}

export function PhoneNumber({ number }: { number: string }) {
  return (
    <bdi dir="ltr" className="digits number">
      {readable(number)}
    </bdi>
  )
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
