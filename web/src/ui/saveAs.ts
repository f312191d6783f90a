/** Has the browser download it, under the name that the service gives, or under `name`. */
export function saveAs(href: string, name = '') {
  const link = document.createElement('a')
  link.href = href
  link.download = name
  document.body.append(link)
  link.click()
  link.remove()
}

const SAVED_MS = 60_000 // by then a browser has read it

export function saveBlob(content: Blob, name: string) {
  const href = URL.createObjectURL(content)
  saveAs(href, name)
  setTimeout(() => URL.revokeObjectURL(href), SAVED_MS)
}
