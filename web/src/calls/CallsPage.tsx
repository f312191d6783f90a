import { type ReactNode, useEffect, useMemo } from 'react'
import { csvUrl } from '../api/api'
import { Problem } from '../api/http'
import { useSettings } from '../app/settings'
import { useTranslation, withAllWords } from '../i18n'
import { usePlayer } from '../player/PlayerProvider'
import { Icon } from '../ui/Icon'
import { later } from '../ui/later'
import { Notice } from '../ui/Notice'
import { CallTable } from './CallTable'
import { columnsOf } from './columns'
import { FilterBar } from './FilterBar'
import { FirstHour } from './FirstHour'
import { useFilters } from './filters'
import { ListBar } from './ListBar'
import { countFilters } from './query'
import { useCalls } from './useCalls'
import { useChosen } from './useChosen'
import './filters.css'
import './table.css'

const Bulk = later(withAllWords(() => import('./bulk/Bulk')))

export function CallsPage() {
  const { t } = useTranslation(['app', 'errors'])
  const { filters, search, set, clear, show, cleared } = useFilters()
  const { columns: wanted } = useSettings()
  const list = useCalls(filters)
  const filtered = countFilters(filters) > 0 || filters.q !== ''
  const shown = list.calls.length
  const agents = useMemo(
    () => [...new Set(list.calls.flatMap((call) => (call.agent ? [call.agent] : [])))],
    [list.calls],
  )
  const columns = useMemo(() => columnsOf(wanted, agents.length > 0), [wanted, agents.length])
  const { follow } = usePlayer()
  const chosen = useChosen(list.calls, list.base)
  const { calls, hasNextPage, fetchNextPage } = list
  useEffect(
    () => follow(calls, hasNextPage ? () => void fetchNextPage() : null),
    [follow, calls, hasNextPage, fetchNextPage],
  )

  useEffect(() => {
    document.title = `${t('calls.title')} · ${t('title')}`
  }, [t])
  // The rows come when the table knows that it is at the top: one that comes above its place moves it back down.
  function goUp() {
    window.scrollTo({ top: 0 })
    requestAnimationFrame(list.showFresh)
  }

  return (
    <main id="main" className="page calls-page">
      <h1 className="unseen">{t('calls.title')}</h1>
      <FilterBar filters={filters} set={set} clear={clear} cleared={cleared} agents={agents} />
      {chosen.calls ? (
        <Bulk chosen={chosen.calls} shown={shown} chooseAll={chosen.all} chooseNone={chosen.begin} close={chosen.end} />
      ) : (
        (shown > 0 || filtered) && (
          <ListBar
            total={list.total}
            columns={columns}
            search={search}
            show={show}
            csv={csvUrl(list.base)}
            choose={shown > 0 ? chosen.begin : null}
          />
        )
      )}
      {list.polling.stopped && (
        <p className="banner" role="status">
          {t('live.stoppedText')}{' '}
          <button type="button" className="quiet" onClick={list.polling.again}>
            {t('live.lookAgain')}
          </button>
        </p>
      )}
      {list.fresh > 0 && (
        <button type="button" className="fresh" onClick={goUp}>
          <Icon name="again" /> {t('live.newCalls', { count: list.fresh })}
        </button>
      )}
      <Content list={list} filtered={filtered} clear={clear}>
        <CallTable
          list={list}
          columns={columns}
          sort={filters.sort}
          setSort={(sort) => set({ sort })}
          chosen={chosen}
        />
      </Content>
    </main>
  )
}

function Content({
  list,
  filtered,
  clear,
  children,
}: {
  list: ReturnType<typeof useCalls>
  filtered: boolean
  clear: () => void
  children: ReactNode
}) {
  const { t } = useTranslation(['app', 'errors'])
  if (list.isPending) return <Loading />
  if (list.isError && list.calls.length === 0) {
    const code = list.error instanceof Problem ? list.error.code : 'internal'
    return (
      <Notice title={t('calls.error')} text={t(`errors:${code}`)} icon="alert" alert>
        <button type="button" className="button" onClick={() => void list.refetch()}>
          {t('calls.again')}
        </button>
      </Notice>
    )
  }
  if (list.calls.length === 0 && filtered)
    return (
      <Notice title={t('calls.noMatch')} text={t('calls.noMatchText')} icon="search">
        <button type="button" className="button" onClick={clear}>
          {t('calls.clear')}
        </button>
      </Notice>
    )
  if (list.calls.length === 0) return <FirstHour />
  return children
}

/** The shape of the rows that are being loaded. */
function Loading() {
  const { t } = useTranslation()
  return (
    <div className="loading" role="status">
      <span className="unseen">{t('calls.loading')}</span>
      {Array.from({ length: 9 }, (_, i) => (
        <div className="ghost" key={i} aria-hidden="true">
          <span className="ghost-round" />
          <span className="ghost-line" />
          <span className="ghost-line short" />
          <span className="ghost-line short" />
        </div>
      ))}
    </div>
  )
}
