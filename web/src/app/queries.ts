// Answers of the API that are kept. They are dropped when another subject signs in.
import { QueryClient } from '@tanstack/react-query'
import { onExpired, Problem } from '../api/http'

/** Only a request that may succeed a moment later is repeated. */
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
