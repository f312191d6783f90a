// How long the business keeps its recordings, and its calls behind them.
import type { Business } from '../api/types'
import { useTranslation } from '../i18n'
import { DaysForm } from './DaysForm'

export function Retention({ business }: { business: Business }) {
  const { t } = useTranslation()
  const standard = business.default_retention_days
  return (
    <DaysForm
      kept={business.retention_days}
      standard={standard}
      patch={(retention_days) => ({ retention_days })}
      legend={t('settings.retention')}
      help={t('settings.retentionHelp')}
      warning={(count) => t('settings.shorterText', { count })}
      words={{
        default: t('settings.keptDefault', {
          time: standard === 0 ? t('settings.forEver') : t('settings.days', { count: standard }),
        }),
        forever: t('settings.keptForEver'),
        days: t('settings.keptDays'),
      }}
    />
  )
}

export function CallRetention({ business }: { business: Business }) {
  const { t } = useTranslation()
  return (
    <DaysForm
      kept={business.retention_metadata_days}
      standard={0}
      patch={(days) => ({ retention_metadata_days: days ?? 0 })}
      legend={t('settings.callRetention')}
      help={t('settings.callRetentionHelp')}
      warning={(count) => t('settings.shorterCallsText', { count })}
      words={{ forever: t('settings.keptForEver'), days: t('settings.callsKeptDays') }}
    />
  )
}
