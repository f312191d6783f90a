// The filters of the list, in the page's address.
import { useCallback, useEffect, useMemo, useState } from 'react'
import { useHref, useLocation, useNavigate, useSearchParams } from 'react-router'
import { lastList } from '../app/lastList'
import type { Filters } from './filterNames'
import { changed, readFilters } from './query'

/**
 * A navigation changes the address at once and this component later, in a transition. So a change starts from the address as it is,
 * not from the filters that were drawn last: otherwise a filter that was just cleared would come back with the next change. `cleared`
 * counts how often all filters were cleared; text that was typed and not sent yet goes too. `show`: all filters of a saved view.
 */
export function useFilters() {
  const [params] = useSearchParams()
  const [cleared, setCleared] = useState(0)
  const navigate = useNavigate()
  const here = useHref({ pathname: useLocation().pathname })
  const filters = useMemo(() => readFilters(params), [params])
  const search = params.toString()
  useEffect(() => lastList.setSearch(search && `?${search}`), [search])
  const go = useCallback(
    (query: URLSearchParams) => {
      // Left already: the next page's address is not this one's to change.
      if (window.location.pathname === here) void navigate({ search: query.toString() }, { replace: true })
    },
    [navigate, here],
  )
  const set = useCallback(
    (change: Partial<Filters>) => go(changed(new URLSearchParams(window.location.search), change)),
    [go],
  )
  const clear = useCallback(() => {
    setCleared((times) => times + 1)
    go(new URLSearchParams())
  }, [go])
  const show = useCallback((query: string) => go(new URLSearchParams(query)), [go])
  return { filters, search, set, clear, show, cleared }
}
