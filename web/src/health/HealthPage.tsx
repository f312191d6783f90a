import { useQuery } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { getStats } from '../api/api'
import { Problem } from '../api/http'
import type { Stats } from '../api/types'
import { useTranslation } from '../i18n'
import { useFormat } from '../i18n/useFormat'
import { Findings } from '../setup/Findings'
import { troublesOf } from '../setup/setup'
import { useSetup } from '../setup/useSetup'
import { useSession } from '../signin/session'
import { Icon } from '../ui/Icon'
import { Notice } from '../ui/Notice'
import { Failures } from './Failures'
import { retriesGoOn, type Sample, sampleOf, shares, warningsOf, withSample } from './figures'
import { Plot } from './Plot'
import { States } from './States'
import '../ui/panels.css'
import './health.css'

const EVERY_MS = 10_000
const RETRYING_EVERY_MS = 2_000 // while failed recordings are being queued again: its progress is shown

/** For admins: the states of the business's recordings, failures, and the queue. */
export default function HealthPage() {
  const { t } = useTranslation(['app', 'errors'])
  const session = useSession()
  const admin = session.role === 'admin'
  const { data, error, dataUpdatedAt, refetch } = useQuery({
    queryKey: ['stats'],
    queryFn: getStats,
    enabled: admin,
    refetchInterval: ({ state }) => (state.data && retriesGoOn(state.data) ? RETRYING_EVERY_MS : EVERY_MS),
    staleTime: EVERY_MS / 2,
  })
  const history = useHistory(session.business_id, data, dataUpdatedAt)
  useEffect(() => {
    document.title = `${t('health.title')} · ${t('title')}`
  }, [t])

  if (!admin)
    return (
      <Page>
        <Notice title={t('health.forAdmins')} text={t('health.forAdminsText')} icon="person" heading={1} />
      </Page>
    )
  if (!data && error)
    return (
      <Page>
        <Notice
          title={t('health.error')}
          text={t(`errors:${error instanceof Problem ? error.code : 'internal'}`)}
          icon="alert"
          heading={1}
          alert
        >
          <button type="button" className="button" onClick={() => void refetch()}>
            {t('calls.again')}
          </button>
        </Notice>
      </Page>
    )
  return (
    <Page>
      {data ? (
        <Figures stats={data} history={history} at={dataUpdatedAt} />
      ) : (
        <p role="status">{t('health.loading')}</p>
      )}
    </Page>
  )
}

function Page({ children }: { children: ReactNode }) {
  return (
    <main id="main" className="page health-page">
      {children}
    </main>
  )
}

function Figures({ stats, history, at }: { stats: Stats; history: Sample[]; at: number }) {
  const { t } = useTranslation()
  const { time, percent, number, size, span } = useFormat()
  const { ready, failed } = shares(stats)
  const warnings = warningsOf(stats, history)
  const { data: setup } = useSetup(EVERY_MS)
  const troubles = setup ? troublesOf(setup) : []
  const disk = [t('health.stored', { size: size(stats.bytes) })]
  if (stats.store_reserved_bytes > 0) disk.push(t('health.reserve', { size: size(stats.store_reserved_bytes) }))
  return (
    <>
      <div className="health-head">
        <h1>{t('health.title')}</h1>
        <p className="muted">{t('health.updated', { time: time(new Date(at)) })}</p>
      </div>
      <div role="status" className="warnings">
        <Findings findings={troubles} />
        {warnings.map((name) => (
          <p className="finding finding-warn" key={name} data-warning={name}>
            <Icon name="alert" />
            {t(`health.${name}`)}
          </p>
        ))}
        {warnings.length === 0 && setup && troubles.length === 0 && (
          <p className="finding finding-ok">
            <Icon name="well" />
            {t('health.allWell')}
          </p>
        )}
      </div>
      <div className="tiles">
        <Tile
          title={t('health.share')}
          value={ready === null ? '–' : percent(ready, 1)}
          low={ready !== null && ready < 0.8}
        >
          <Plot samples={history} of="ready" most={1} title={t('health.share')} />
        </Tile>
        <Tile
          title={t('health.failedShare')}
          value={failed === null ? '–' : percent(failed, 1)}
          low={failed !== null && failed > 0.01}
        >
          <Plot samples={history} of="failed" title={t('health.failedShare')} />
        </Tile>
        <Tile
          title={t('health.queue')}
          value={number(stats.queue_depth)}
          help={
            stats.queue_oldest_seconds === null
              ? t('health.nothingWaits')
              : t('health.oldest', { time: span(stats.queue_oldest_seconds) })
          }
          low={warnings.includes('warnQueue')}
        >
          <Plot samples={history} of="depth" title={t('health.queue')} />
        </Tile>
        <Tile
          title={t('health.hitRatio')}
          value={stats.hit_ratio === null ? '–' : percent(stats.hit_ratio, 1)}
          help={stats.hit_ratio === null ? t('health.noPlays') : t('health.hitRatioHelp')}
        />
        <Tile
          title={t('health.disk')}
          value={stats.store_free_bytes === null ? '–' : t('health.free', { size: size(stats.store_free_bytes) })}
          help={disk.join(' · ')}
          low={warnings.includes('warnDisk')}
        />
      </div>
      <States stats={stats} />
      <Failures failures={stats.failures} retrying={stats.retrying} />
    </>
  )
}

interface TileProps {
  title: string
  value: string
  help?: string
  low?: boolean
  children?: ReactNode
}

function Tile({ title, value, help, low = false, children }: TileProps) {
  return (
    <section className={low ? 'panel tile tile-low' : 'panel tile'}>
      <h2>{title}</h2>
      <p className="tile-value">
        <bdi>{value}</bdi>
      </p>
      {children}
      {help && <p className="help">{help}</p>}
    </section>
  )
}

/** The samples of this window: a reload keeps them. */
function useHistory(business: number, stats: Stats | undefined, at: number): Sample[] {
  const name = `callreel.health.${business}`
  const [history, setHistory] = useState<Sample[]>(() => {
    try {
      return JSON.parse(sessionStorage.getItem(name) ?? '[]') as Sample[]
    } catch {
      return []
    }
  })
  useEffect(() => {
    if (!stats) return
    setHistory((before) => {
      const after = withSample(before, sampleOf(stats, at))
      try {
        sessionStorage.setItem(name, JSON.stringify(after))
      } catch {
        // kept as long as the page then
      }
      return after
    })
  }, [stats, at, name])
  return history
}
