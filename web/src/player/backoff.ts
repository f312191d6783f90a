// When to ask again: after 2 s, then half as long again each time, at most 8 s and 10 times; never earlier than the service said.

export const LOOKS = 10
const FIRST = 2
const MOST = 8

/** Milliseconds before request number `n` (0 is the first); null: stop asking. */
export function lookAfter(n: number, retryAfter: number | null): number | null {
  if (n >= LOOKS) return null
  return Math.min(MOST, Math.max(FIRST * 1.5 ** n, retryAfter ?? 0)) * 1000
}
