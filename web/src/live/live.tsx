// The stream of the signed-in subject, for the whole page.
import { useQueryClient } from '@tanstack/react-query'
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { changeOfList } from '../app/early'
import { Hub, type LiveEvent, type LiveState } from './hub'

const HubContext = createContext<Hub | null>(null)
let shared: Hub | null = null

/** `business`: the stream is of this business. Another business has another stream. */
export function LiveProvider({ business, children }: { business: number; children: ReactNode }) {
  const client = useQueryClient()
  const [hub, setHub] = useState<Hub | null>(null)
  useEffect(() => {
    const name = `callreel-events ${new URL(document.baseURI).pathname} ${business}`
    const refused = () => void client.invalidateQueries({ queryKey: ['session'] })
    const made = new Hub('api/events', name, refused, changeOfList())
    made.start()
    shared = made
    setHub(made)
    return () => made.stop()
  }, [business, client])
  return hub && <HubContext value={hub}>{children}</HubContext>
}

export function useHub(): Hub {
  const hub = useContext(HubContext)
  if (!hub) throw new Error('no LiveProvider above')
  return hub
}

export function useLiveState(): LiveState {
  const hub = useHub()
  return useSyncExternalStore(hub.subscribe, () => hub.state)
}

export function useLiveEvents(hear: (event: LiveEvent) => void) {
  const hub = useHub()
  const latest = useRef(hear)
  useEffect(() => {
    latest.current = hear
  })
  useEffect(() => hub.hear((event) => latest.current(event)), [hub])
}

/** If something was read before the stream was open, reads it once more, because no event told of the changes in between. `isHere`:
 *  the first read has ended. Returns a function to call for an event that comes before that end: it causes one more read. */
export function useCatchUp(isHere: boolean, read: () => unknown): () => void {
  const live = useLiveState()
  const isBehind = useRef(live !== 'open')
  const latest = useRef(read)
  useEffect(() => {
    latest.current = read
  })
  useEffect(() => {
    if (!isBehind.current || !isHere || live !== 'open') return
    isBehind.current = false
    void latest.current()
  }, [isHere, live])
  return useCallback(() => {
    isBehind.current = true
  }, [])
}

/** For code outside of components: see Hub.ready. */
export const liveReady = (patience: number) => shared?.ready(patience) ?? Promise.resolve()

function onlineChanges(tell: () => void) {
  window.addEventListener('online', tell)
  window.addEventListener('offline', tell)
  return () => {
    window.removeEventListener('online', tell)
    window.removeEventListener('offline', tell)
  }
}
export const useOnline = () => useSyncExternalStore(onlineChanges, () => navigator.onLine)
