// A part of the page that is loaded when it is first needed. If it can't be loaded, it shows nothing or a message, and the page around
// it stays: React's lazy() would throw, and keep the failure.
import { type ComponentType, useState } from 'react'
import { useChunk } from './useChunk'

/** `Lost`: stands for a part that can't be loaded after some tries; `again` tries it once more. `load` loads it beforehand. */
export function later<Props extends object>(
  load: () => Promise<{ default: ComponentType<Props> }>,
  Lost?: ComponentType<{ again: () => void }>,
): ComponentType<Props> & { load: () => Promise<unknown> } {
  let here: ComponentType<Props> | null = null
  const once = async () => {
    const chunk = await load()
    here = chunk.default
    return chunk
  }
  function Coming(props: Props) {
    const { chunk, failed, again } = useChunk(once)
    if (chunk) return <chunk.default {...props} />
    return failed && Lost ? <Lost again={again} /> : null
  }
  function Later(props: Props) {
    const [Part] = useState(() => here ?? Coming) // once: another component would be mounted again
    return <Part {...props} />
  }
  return Object.assign(Later, { load: once })
}
