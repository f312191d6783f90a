// The words of a transcript that are heard now. While it plays it looks once a frame; a row is drawn again only when its word changes.
import type { Engine } from '../player/engine'
import { type Heard, heardAt, type Line, lineAt } from './lines'

export class HeardNow {
  #heard: Heard[] = []
  #line = -1
  #frame = 0
  #subscribers = new Set<() => void>()

  constructor(
    private readonly engine: Engine,
    private readonly sid: string,
    private readonly lines: readonly Line[],
  ) {
    this.#look()
  }

  /** Of the player's moment; -1: the player has another recording. */
  get line() {
    return this.#line
  }

  get isPlaying() {
    return this.#isOpen && this.engine.state.phase === 'playing'
  }

  wordOf(line: number): number {
    return this.#heard.find((heard) => heard.line === line)?.word ?? -1
  }

  subscribe = (changed: () => void) => {
    this.#subscribers.add(changed)
    return () => {
      this.#subscribers.delete(changed)
    }
  }

  /** Begins to follow the player. Returns a function that ends it. */
  follow(): () => void {
    const undo = this.engine.subscribe(() => this.#changed())
    this.#changed()
    return () => {
      undo()
      cancelAnimationFrame(this.#frame)
      this.#frame = 0
    }
  }

  get #isOpen() {
    return this.engine.state.track?.key === this.sid
  }

  #changed() {
    this.#look()
    if (!this.isPlaying || this.#frame) return
    const step = () => {
      this.#look()
      this.#frame = this.isPlaying ? requestAnimationFrame(step) : 0
    }
    this.#frame = requestAnimationFrame(step)
  }

  #look() {
    const t = this.engine.now()
    const heard = this.#isOpen ? heardAt(this.lines, t) : []
    const line = this.#isOpen && this.lines.length > 0 ? lineAt(this.lines, t) : -1
    const same =
      line === this.#line &&
      heard.length === this.#heard.length &&
      heard.every((one, i) => one.line === this.#heard[i]?.line && one.word === this.#heard[i]?.word)
    if (same) return
    this.#heard = heard
    this.#line = line
    for (const changed of this.#subscribers) changed()
  }
}
