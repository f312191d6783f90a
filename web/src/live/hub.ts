// Changes as they happen: one stream of events for each browser, which its tabs share.
//
//   The tab that holds the lock leads: it opens the stream and passes everything on. All others listen to the leader.
//
// (1) At most one tab holds the stream; when it closes, the next one takes it over and tells all to read again (reset).
// (2) A page hidden for a minute gives the stream up; shown again, it reads everything again.
// (3) Without locks (a page that came over plain HTTP from elsewhere) each tab has its own stream, and only while it is seen:
//     a browser has six connections for all.
// (4) Every tab knows whether the stream is open, and polls if it is not.
// (5) A list that was asked for before this page heard anything is caught up with: the tab that opens the stream lets it begin
//     where the list ends; in any other tab, and if that place is not known, the list is read again (takeBehind).
// (6) All other answers that were read before the stream was open are read once more when it opens (live.tsx: useCatchUp).
import type { Call, NoteNews, Recording, TranscriptNews } from '../api/types'

export type LiveEvent =
  | { kind: 'recording'; recording: Recording }
  | { kind: 'call'; call: Call }
  | { kind: 'gone'; call_sid: string } // a call was deleted
  | { kind: 'note'; note: NoteNews }
  | { kind: 'transcript'; transcript: TranscriptNews }
  | { kind: 'reset' }
type Letter = LiveEvent | { kind: 'state'; open: boolean } | { kind: 'who' }
export type LiveState = 'connecting' | 'open' | 'closed' | 'asleep'

const ofCall = (news: Call | { call_sid: string; deleted: true }): LiveEvent =>
  'deleted' in news ? { kind: 'gone', call_sid: news.call_sid } : { kind: 'call', call: news }

const shares = 'locks' in navigator && 'BroadcastChannel' in window
const HIDDEN_MS = shares ? 60_000 : 0 // (2), (3)
const REOPEN_MS = 30_000
const EARLY_MS = 1000 // the stream waits that long for the early list

export class Hub {
  #state: LiveState = 'connecting'
  #channel: BroadcastChannel
  #release: AbortController | null = null
  #leading = false
  #opened = false // since this page began: a later opening may have missed something
  #behind: boolean // (5) something may have happened since the early list
  #watched = false // the list hears
  #sleep: ReturnType<typeof setTimeout> | undefined
  #hear = new Set<(event: LiveEvent) => void>()
  #tell = new Set<() => void>()

  constructor(
    private readonly url: string,
    private readonly name: string,
    private readonly refused: () => void, // the stream was refused: perhaps nobody is signed in any more
    private readonly early: Promise<string> | null, // (5) the change up to which an early list was read, '': not known
  ) {
    this.#behind = early !== null
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

  /** Resolves when the stream is open, or after a moment without it. A request sent after that misses no change in between. */
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
      let source: EventSource | null = null
      void this.#placeToBegin().then((after) => {
        if (!released.aborted) source = this.#connect(after)
      })
      const again = setInterval(() => {
        if (source?.readyState === EventSource.CLOSED) source = this.#connect('')
      }, REOPEN_MS)
      released.addEventListener('abort', () => {
        clearInterval(again)
        source?.close()
        this.#leading = false
        resolve()
      })
    })
  }

  /** (5) The change after which the stream begins; '': now. */
  async #placeToBegin(): Promise<string> {
    if (!this.#behind || !this.early) return ''
    const after = await Promise.race([this.early, new Promise<string>((resolve) => setTimeout(resolve, EARLY_MS, ''))])
    if (after) this.#behind = false
    return after
  }

  /** `after`: '' for changes from now on. */
  #connect(after: string): EventSource {
    const source = new EventSource(after ? `${this.url}?after=${after}` : this.url)
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
    source.addEventListener('call', ({ data }) => this.#send(ofCall(JSON.parse(data))))
    source.addEventListener('note', ({ data }) => this.#send({ kind: 'note', note: JSON.parse(data) }))
    source.addEventListener('transcript', ({ data }) =>
      this.#send({ kind: 'transcript', transcript: JSON.parse(data) }),
    )
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

  /** (5) True, once, if the caller may have missed changes after the early list. */
  takeBehind(): boolean {
    const behind = this.#behind
    this.#behind = false
    this.#watched = true
    return behind
  }

  #pass(event: LiveEvent) {
    if (!this.#watched) this.#behind = true
    for (const tell of this.#hear) tell(event)
  }

  #become(state: LiveState) {
    if (state === this.#state) return
    this.#state = state
    for (const tell of this.#tell) tell()
  }
}
