// The shared links that are in force.
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { listUrls, revokeUrl, revokeUrls } from '../api/api'
import { Problem } from '../api/http'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Revoke } from './Revoke'

const urlsKey = ['urls']

export function Links() {
  const { t } = useTranslation(['app', 'errors'])
  const { dateTime } = useFormat()
  const client = useQueryClient()
  const { data, error } = useQuery({ queryKey: urlsKey, queryFn: listUrls })
  const refresh = () => void client.invalidateQueries({ queryKey: urlsKey })
  const urls = data?.urls ?? []
  return (
    <section className="panel" aria-labelledby="shared">
      <h2 id="shared">{t('settings.shared')}</h2>
      <p className="help">{t('settings.sharedHelp')}</p>
      {error && (
        <p className="wrong" role="alert">
          {t(`errors:${error instanceof Problem ? error.code : 'internal'}`)}
        </p>
      )}
      {data && urls.length === 0 && <p className="muted">{t('settings.noShared')}</p>}
      {urls.length > 0 && (
        <>
          <div className="scrolls">
            <table className="settings-table">
              <thead>
                <tr>
                  <th scope="col">{t('calls.recording')}</th>
                  <th scope="col">{t('settings.made')}</th>
                  <th scope="col">{t('settings.validUntil')}</th>
                  <th scope="col">
                    <span className="unseen">{t('settings.revoke')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {urls.map((url) => (
                  <tr key={url.url_id} data-url={url.url_id}>
                    <th scope="row">
                      <bdi dir="ltr" className="sid">
                        {url.recording_sid}
                      </bdi>
                    </th>
                    <td>{dateTime(new Date(url.made_at))}</td>
                    <td>{dateTime(new Date(url.expires_at))}</td>
                    <td>
                      <Revoke what={url.recording_sid} revoke={() => revokeUrl(url.url_id)} done={refresh} />
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          {urls.length > 1 && <Revoke what={t('settings.allShared')} revoke={revokeUrls} done={refresh} />}
        </>
      )}
    </section>
  )
}
