// Shows its parts together, when all have their data: a part that came later would move a button that somebody is about to press.
import { type QueryFilters, useIsFetching, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from '../i18n'

const missing: QueryFilters = { predicate: ({ state }) => state.status === 'pending' }

export function Together({ children }: { children: ReactNode }) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const waits = useIsFetching(missing)
  const [shown, setShown] = useState(false)
  // Effects of the parts run before this one: they have asked by now.
  // biome-ignore lint/correctness/useExhaustiveDependencies: looks again when the number changes
  useEffect(() => {
    if (client.isFetching(missing) === 0) setShown(true)
  }, [waits, client])
  return (
    <>
      {!shown && <p role="status">{t('crash.loading')}</p>}
      <div hidden={!shown}>{children}</div>
    </>
  )
}
