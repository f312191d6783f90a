// Asks the API. URLs are relative to <base>, which is where this page is served.

/** A refusal of the API; `offline`: nothing answered. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly retryAfter: number | null,
  ) {
    super(code)
    this.name = 'Problem'
  }
}

/** `begun`: the same request, sent before; it is under way or answered. */
type Ask = RequestInit & { json?: unknown; begun?: Promise<Response> | Response | null }

const expired = new Set<() => void>()

/** `tell` is called whenever an answer says that nobody is signed in. Returns a function that ends this. */
export function onExpired(tell: () => void): () => void {
  expired.add(tell)
  return () => expired.delete(tell)
}

const reach = new Set<(answers: boolean) => void>()

/** `tell` is called with every answer, and whenever there is none. */
export function onReach(tell: (answers: boolean) => void) {
  reach.add(tell)
}

/** For requests that are not made by `ask`. */
export function tellReach(answers: boolean) {
  for (const tell of reach) tell(answers)
}

function retryAfter(answer: Response): number | null {
  const seconds = Number(answer.headers.get('Retry-After'))
  return seconds > 0 ? seconds : null
}

export async function problemOf(answer: Response): Promise<Problem> {
  const said: unknown = await answer.json().catch(() => null)
  const code =
    said && typeof said === 'object' && 'code' in said && typeof said.code === 'string' ? said.code : 'internal'
  return new Problem(answer.status, code, retryAfter(answer))
}

export async function ask<T>(path: string, { json, begun, ...init }: Ask = {}): Promise<T> {
  const headers = new Headers(init.headers)
  headers.set('Accept', 'application/json')
  if (json !== undefined) headers.set('Content-Type', 'application/json')
  let answer: Response
  try {
    answer = await (begun ??
      fetch(path, { ...init, headers, body: json === undefined ? init.body : JSON.stringify(json) }))
  } catch (why) {
    if (why instanceof DOMException && why.name === 'AbortError') throw why
    tellReach(false)
    throw new Problem(0, 'offline', null)
  }
  tellReach(true)
  if (!answer.ok) {
    const problem = await problemOf(answer)
    if (problem.status === 401 && !headers.has('Authorization')) for (const tell of expired) tell()
    throw problem
  }
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

/** The code of a problem, for `errors.json`. */
export const codeOf = (why: unknown) => (why instanceof Problem ? why.code : 'internal')
