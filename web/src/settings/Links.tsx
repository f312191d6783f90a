// The shared links that are in force.
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { listUrls, revokeUrl, revokeUrls } from '../api/api'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { MoreRows } from '../ui/MoreRows'
import { Wrong } from '../ui/Wrong'
import { useMakers } from './makers'
import { Revocable } from './Revocable'
import { Revoke } from './Revoke'

const urlsKey = ['access', 'urls']

export function Links() {
  const { t } = useTranslation()
  const { dateTime } = useFormat()
  const client = useQueryClient()
  const makerOf = useMakers()
  const list = useInfiniteQuery({
    queryKey: urlsKey,
    queryFn: ({ pageParam, signal }) => listUrls(pageParam, { signal }),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor,
  })
  const refresh = () => void client.invalidateQueries({ queryKey: urlsKey })
  const urls = list.data?.pages.flatMap((page) => page.urls) ?? []
  return (
    <section className="panel" aria-labelledby="shared">
      <h2 id="shared">{t('settings.shared')}</h2>
      <p className="help">{t('settings.sharedHelp')}</p>
      <Wrong why={list.error} />
      {list.data && urls.length === 0 && <p className="muted">{t('settings.noShared')}</p>}
      {urls.length > 0 && (
        <Revocable
          rows={urls}
          idOf={(url) => url.url_id}
          nameOf={(url) => url.recording_sid}
          revoke={(url) => revokeUrl(url.url_id)}
          done={refresh}
          head={{
            title: t('calls.recording'),
            of: (url) => (
              <bdi dir="ltr" className="sid">
                {url.recording_sid}
              </bdi>
            ),
          }}
          columns={[
            { title: t('settings.madeBy'), of: (url) => <bdi>{makerOf(url.made_by)}</bdi> },
            { title: t('settings.made'), of: (url) => dateTime(new Date(url.made_at)) },
            { title: t('settings.validUntil'), of: (url) => dateTime(new Date(url.expires_at)) },
          ]}
        />
      )}
      <MoreRows of={list} />
      {urls.length > 1 && <Revoke what={t('settings.allShared')} revoke={revokeUrls} done={refresh} all />}
    </section>
  )
}
