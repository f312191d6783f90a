// What changes, as it changes: one stream of events a browser, shared by its tabs.
//
//   Whoever holds the lock leads: opens the stream and passes everything on. All others listen to the leader.
//
// (1) At most one tab holds the stream; when it closes, the next one takes it over and tells all to look afresh (reset).
// (2) A page hidden for a minute gives the stream up; shown again, it looks afresh.
// (3) Without locks (a page that came over plain HTTP from elsewhere) each tab has its own stream, and only while it is seen:
//     a browser has six connections for all.
// (4) Whether the stream is open is known in every tab: who has none polls.
import type { Call, NoteNews, Recording } from '../api/types'

export type LiveEvent =
  | { kind: 'recording'; recording: Recording }
  | { kind: 'call'; call: Call }
  | { kind: 'note'; note: NoteNews }
  | { kind: 'reset' }
type Letter = LiveEvent | { kind: 'state'; open: boolean } | { kind: 'who' }
export type LiveState = 'connecting' | 'open' | 'closed' | 'asleep'

const shares = 'locks' in navigator && 'BroadcastChannel' in window
const HIDDEN_MS = shares ? 60_000 : 0 // (2), (3)
const REOPEN_MS = 30_000

export class Hub {
  #state: LiveState = 'connecting'
  #channel: BroadcastChannel
  #release: AbortController | null = null
  #leading = false
  #opened = false // since this page began: a later opening may have missed something
  #sleep: ReturnType<typeof setTimeout> | undefined
  #hear = new Set<(event: LiveEvent) => void>()
  #tell = new Set<() => void>()

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly refused: () => void, // the stream was refused: perhaps nobody is signed in any more
  ) {
    this.#channel = new BroadcastChannel(name)
  }

  get state() {
    return this.#state
  }

  subscribe = (tell: () => void) => {
    this.#tell.add(tell)
    return () => {
      this.#tell.delete(tell)
    }
  }

  hear(tell: (event: LiveEvent) => void) {
    this.#hear.add(tell)
    return () => {
      this.#hear.delete(tell)
    }
  }

  start() {
    if (shares) this.#channel.onmessage = ({ data }: MessageEvent<Letter>) => this.#receive(data)
    document.addEventListener('visibilitychange', this.#seen)
    if (document.visibilityState === 'hidden') this.#fallAsleepLater()
    this.#join()
  }

  stop() {
    document.removeEventListener('visibilitychange', this.#seen)
    clearTimeout(this.#sleep)
    this.#release?.abort()
    this.#channel.close()
  }

  /** Resolves when the stream is open, or after a moment without: what is asked then misses nothing in between. */
  ready(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        forget()
        resolve()
      }
      const timer = setTimeout(done, patience)
      const forget = this.subscribe(() => this.#state !== 'connecting' && done())
      if (this.#state !== 'connecting') done()
    })
  }

  #seen = () => {
    clearTimeout(this.#sleep)
    if (document.visibilityState === 'hidden') return this.#fallAsleepLater()
    if (this.#state !== 'asleep') return
    this.#become('connecting')
    this.#join()
    this.#pass({ kind: 'reset' })
  }

  #fallAsleepLater() {
    this.#sleep = setTimeout(() => {
      this.#release?.abort()
      this.#release = null
      this.#become('asleep')
    }, HIDDEN_MS)
  }

  #join() {
    const release = new AbortController()
    this.#release = release
    this.#channel.postMessage({ kind: 'who' } satisfies Letter)
    if (!shares) return void this.#lead(release.signal)
    navigator.locks
      .request(this.name, { signal: release.signal }, () => this.#lead(release.signal))
      .catch(() => undefined) // given up while it waited
  }

  /** Resolves when the lead is given up. */
  #lead(released: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (released.aborted) return resolve()
      this.#leading = true
      let source = this.#connect()
      const again = setInterval(() => {
        if (source.readyState === EventSource.CLOSED) source = this.#connect()
      }, REOPEN_MS)
      released.addEventListener('abort', () => {
        clearInterval(again)
        source.close()
        this.#leading = false
        resolve()
      })
    })
  }

  #connect(): EventSource {
    const source = new EventSource(this.url)
    source.onopen = () => {
      this.#announce(true)
      if (this.#opened) this.#send({ kind: 'reset' })
      this.#opened = true
    }
    source.onerror = () => {
      this.#announce(false)
      if (source.readyState === EventSource.CLOSED) this.refused()
    }
    source.addEventListener('recording', ({ data }) => this.#send({ kind: 'recording', recording: JSON.parse(data) }))
    source.addEventListener('call', ({ data }) => this.#send({ kind: 'call', call: JSON.parse(data) }))
    source.addEventListener('note', ({ data }) => this.#send({ kind: 'note', note: JSON.parse(data) }))
    source.addEventListener('reset', () => this.#send({ kind: 'reset' }))
    return source
  }

  #announce(open: boolean) {
    this.#channel.postMessage({ kind: 'state', open } satisfies Letter)
    this.#become(open ? 'open' : 'closed')
  }

  /** To this tab and all others. */
  #send(event: LiveEvent) {
    this.#channel.postMessage(event satisfies Letter)
    this.#pass(event)
  }

  #receive(letter: Letter) {
    if (letter.kind === 'who') {
      if (this.#leading && this.#state !== 'connecting') this.#announce(this.#state === 'open')
      return
    }
    if (this.#state === 'asleep') return
    if (letter.kind === 'state') {
      this.#opened ||= letter.open
      this.#become(letter.open ? 'open' : 'closed')
    } else this.#pass(letter)
  }

  #pass(event: LiveEvent) {
    for (const tell of this.#hear) tell(event)
  }

  #become(state: LiveState) {
    if (state === this.#state) return
    this.#state = state
    for (const tell of this.#tell) tell()
  }
}
