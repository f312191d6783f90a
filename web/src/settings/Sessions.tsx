// The sessions that are open now, and the sign-in links that are not used yet.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { endSession, endSessions, listSessions } from '../api/api'
import type { SessionList } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { useSession } from '../signin/session'
import { Wrong } from '../ui/Wrong'
import { useMakers } from './makers'
import { Revocable } from './Revocable'
import { Revoke } from './Revoke'

export const sessionsKey = ['access', 'sessions']
type Row = SessionList['sessions'][number]

/** The own session, then the newest: the first rows show what was just made. */
const inOrder = (rows: readonly Row[], own: string | null | undefined) =>
  [...rows].sort(
    (a, b) =>
      Number(b.session_id === own) - Number(a.session_id === own) || Date.parse(b.made_at) - Date.parse(a.made_at),
  )

export function Sessions() {
  const { t } = useTranslation()
  const { dateTime } = useFormat()
  const client = useQueryClient()
  const makerOf = useMakers()
  const own = useSession().session_id
  const { data, error } = useQuery({ queryKey: sessionsKey, queryFn: listSessions })
  const rows = data ? inOrder(data.sessions, own) : []
  /** The own session may be among those that ended. */
  const refresh = () => {
    void client.invalidateQueries({ queryKey: sessionsKey })
    void client.invalidateQueries({ queryKey: ['session'] })
  }
  const nameOf = (row: Row) => (row.kind === 'link' ? t('settings.unusedLink') : (row.subject ?? makerOf(row.made_by)))
  return (
    <>
      <h3>{t('settings.sessions')}</h3>
      <p className="help">{t('settings.sessionsHelp')}</p>
      <Wrong why={error} />
      {data && rows.length === 0 && <p className="muted">{t('settings.noSessions')}</p>}
      {rows.length > 0 && (
        <Revocable
          rows={rows}
          idOf={(row) => row.session_id}
          nameOf={nameOf}
          revoke={(row) => endSession(row.session_id)}
          done={refresh}
          head={{
            title: t('settings.who'),
            of: (row) => (
              <>
                <bdi>{nameOf(row)}</bdi> {row.session_id === own && <small>{t('settings.thisSession')}</small>}
              </>
            ),
          }}
          columns={[
            { title: t('settings.role'), of: (row) => t(`role.${row.role}`) },
            { title: t('settings.made'), of: (row) => dateTime(new Date(row.made_at)) },
            { title: t('settings.validUntil'), of: (row) => dateTime(new Date(row.expires_at)) },
          ]}
        />
      )}
      {rows.length > 1 && <Revoke what={t('settings.allSessions')} revoke={endSessions} done={refresh} all />}
    </>
  )
}
