import { useQuery } from '@tanstack/react-query'
import { getSetup } from '../api/api'
import { useSession } from '../signin/session'

const EVERY_MS = 5000

/** `every`: milliseconds between two looks; false: one look. */
export function useSetup(every: number | false = EVERY_MS) {
  const admin = useSession().role === 'admin'
  return useQuery({
    queryKey: ['setup'],
    queryFn: getSetup,
    enabled: admin,
    refetchInterval: every,
    staleTime: EVERY_MS / 2,
  })
}
