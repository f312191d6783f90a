// Lists that the reader gave a name: the filters of an address, kept in this browser. Pure but for keeping.
import { useState } from 'react'
import { keep, recall } from '../app/kept'

export interface View {
  name: string
  search: string // of the address, without "?"
}
const MOST = 50

/** If the name exists already, it gets the new filters. */
export const withView = (views: readonly View[], view: View): View[] =>
  [...views.filter(({ name }) => name !== view.name), view].sort((a, b) => a.name.localeCompare(b.name)).slice(0, MOST)

function read(name: string): View[] {
  const kept = recall<unknown>(name, [])
  return Array.isArray(kept)
    ? kept.filter((one) => typeof one?.name === 'string' && typeof one?.search === 'string')
    : []
}

export function useViews(business: number) {
  const place = `views.${business}`
  const [views, setViews] = useState<View[]>(() => read(place))
  const change = (next: View[]) => {
    setViews(next)
    keep(place, next)
  }
  return {
    views,
    save: (view: View) => change(withView(views, view)),
    remove: (name: string) => change(views.filter((view) => view.name !== name)),
  }
}
