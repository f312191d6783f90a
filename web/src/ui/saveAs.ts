/** Has the browser download it, under the name that the service gives. */
export function saveAs(href: string) {
  const link = document.createElement('a')
  link.href = href
  link.download = ''
  document.body.append(link)
  link.click()
  link.remove()
}
