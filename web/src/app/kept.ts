// Small values in the storage of this browser. It is no error if the browser stores nothing.

export function recall<T>(name: string, or: T): T {
  try {
    const text = localStorage.getItem(`callreel.${name}`)
    return text === null ? or : (JSON.parse(text) as T)
  } catch {
    return or
  }
}

export function keep(name: string, value: unknown) {
  try {
    localStorage.setItem(`callreel.${name}`, JSON.stringify(value))
  } catch {
    // private windows, frames of other origins: it is forgotten with the page
  }
}
