// What was asked of the API and is kept. Somebody else signing in empties it.
import { QueryClient } from '@tanstack/react-query'
import { onExpired, Problem } from '../api/http'

/** Only what may be otherwise in a moment is asked twice. */
const worthAnother = (failures: number, why: Error) =>
  failures < 2 && why instanceof Problem && (why.status === 0 || why.status === 429 || why.status >= 500)

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      retry: worthAnother,
      retryDelay: (n, why) => Math.max(1000 * 2 ** n, why instanceof Problem ? (why.retryAfter ?? 0) * 1000 : 0),
      staleTime: 30_000,
      networkMode: 'always',
    },
    mutations: { networkMode: 'always' },
  },
})

onExpired(() => queries.setQueryData(['session'], null))
