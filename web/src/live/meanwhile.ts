// Events that come while a request is under way. The server may have read its answer before them, so they are applied again after it.
import type { LiveEvent } from './hub'

type News = Map<string, LiveEvent> // by their object: the newest one has its whole state

export class Meanwhile {
  #asked = new Set<News>() // one for each answer that is on its way

  hear(event: LiveEvent) {
    const key = keyOf(event)
    if (key !== null) for (const news of this.#asked) news.set(key, event)
  }

  /** Asks, and returns the answer with the events applied that came meanwhile. */
  async ask<T>(ask: () => Promise<T>, withNews: (answer: T, event: LiveEvent) => T): Promise<T> {
    const news: News = new Map()
    this.#asked.add(news)
    try {
      const answer = await ask()
      return [...news.values()].reduce(withNews, answer)
    } finally {
      this.#asked.delete(news)
    }
  }
}

function keyOf(event: LiveEvent): string | null {
  if (event.kind === 'recording') return `recording ${event.recording.recording_sid}`
  if (event.kind === 'call') return `call ${event.call.call_sid}`
  return event.kind === 'gone' ? `gone ${event.call_sid}` : null
}
