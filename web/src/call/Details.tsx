import type { ReactNode } from 'react'
import type { CallWithLegs } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Party } from '../recording/Who'
import { useSession } from '../signin/session'
import { Copy } from '../ui/Copy'
import { EditField } from './EditField'

export function Details({ call, update }: { call: CallWithLegs; update: (call: CallWithLegs) => void }) {
  const { t } = useTranslation()
  const { dateTime, clock } = useFormat()
  const edits = useSession().role !== 'viewer'
  const party = (text: string | null) => text && <Party text={text} />
  const at = (text: string | null) => text && <time dateTime={text}>{dateTime(new Date(text))}</time>
  const rows: [string, ReactNode][] = [
    [t('call.started'), at(call.started_at)],
    [t('call.ended'), at(call.ended_at)],
    [t('call.length'), call.duration !== null && <span dir="ltr">{clock(call.duration)}</span>],
    [t('call.from'), party(call.from)],
    [t('call.to'), party(call.to)],
    [t('calls.own'), party(call.own_number)],
    [
      t('calls.agent'),
      edits ? (
        <EditField
          key="agent"
          call={call}
          name="agent"
          label={t('calls.agent')}
          add={t('call.addAgent')}
          update={update}
        />
      ) : (
        call.agent && <bdi>{call.agent}</bdi>
      ),
    ],
    [t('call.callerName'), call.caller_name && <bdi>{call.caller_name}</bdi>],
    [
      t('call.ref'),
      edits ? (
        <EditField key="ref" call={call} name="ref" label={t('call.ref')} add={t('call.addRef')} update={update} />
      ) : (
        call.ref && <bdi>{call.ref}</bdi>
      ),
    ],
    [t('call.sid'), <Sid key="sid" sid={call.call_sid} />],
  ]
  const own = Object.entries(call.metadata ?? {})
  return (
    <section aria-labelledby="details">
      <h2 id="details">{t('call.details')}</h2>
      <dl className="details">{rows.map(([name, value]) => value && <Row key={name} name={name} value={value} />)}</dl>
      {own.length > 0 && (
        <>
          <h3>{t('call.metadata')}</h3>
          <dl className="details">
            {own.map(([name, value]) => (
              <Row
                key={name}
                name={<bdi>{name}</bdi>}
                value={<bdi>{typeof value === 'string' ? value : JSON.stringify(value)}</bdi>}
              />
            ))}
          </dl>
        </>
      )}
    </section>
  )
}

function Row({ name, value }: { name: ReactNode; value: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

function Sid({ sid }: { sid: string }) {
  return (
    <span className="sid">
      <bdi dir="ltr">{sid}</bdi>
      <Copy text={sid} />
    </span>
  )
}
