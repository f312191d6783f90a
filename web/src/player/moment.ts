// A moment in a recording, as links write it: 83, 83.5, 1:23, 1:02:03, 1m23s. Pure.

/** In seconds; null: none, or not understood. */
export function secondsIn(text: string | null): number | null {
  if (text === null) return null
  if (/^\d{1,6}(\.\d{1,3})?$/.test(text)) return Number(text)
  const clock = /^(?:(\d{1,3}):)?(\d{1,3}):(\d{2})$/.exec(text)
  if (clock) return Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3])
  const words = /^(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?$/.exec(text)
  if (!words || text === '') return null
  return Number(words[1] ?? 0) * 3600 + Number(words[2] ?? 0) * 60 + Number(words[3] ?? 0)
}
