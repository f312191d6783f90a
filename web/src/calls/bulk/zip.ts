// A ZIP archive of files as they are (they are compressed audio): local headers and files, then the directory, all below 4 GiB. Pure.

export interface ZipFile {
  name: string
  at: Date
  content: Blob
}

const UTF8_NAMES = 0x0800
const VERSION = 20

const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1
  return c
})

async function crcOf(content: Blob): Promise<number> {
  let crc = 0xffffffff
  const reader = content.stream().getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return (crc ^ 0xffffffff) >>> 0
    for (const byte of value) crc = (table[(crc ^ byte) & 0xff] as number) ^ (crc >>> 8)
  }
}

/** Two bytes of time, two of date; seconds by twos, no year before 1980. */
const dosTime = (at: Date): [number, number] => [
  (at.getHours() << 11) | (at.getMinutes() << 5) | (at.getSeconds() >> 1),
  (Math.max(0, at.getFullYear() - 1980) << 9) | ((at.getMonth() + 1) << 5) | at.getDate(),
]

/** `fields`: [bytes, value], little-endian. */
function record(...fields: [2 | 4, number][]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [bytes]) => sum + bytes, 0)))
  let at = 0
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true)
    else view.setUint32(at, value, true)
    at += bytes
  }
  return new Uint8Array(view.buffer)
}

/** "a.mp3", "a (2).mp3": no two files have the same name. */
export function ownNames(names: readonly string[]): string[] {
  const taken = new Set<string>()
  return names.map((name) => {
    const dot = name.lastIndexOf('.')
    const [stem, ending] = dot > 0 ? [name.slice(0, dot), name.slice(dot)] : [name, '']
    let own = name
    for (let n = 2; taken.has(own); n++) own = `${stem} (${n})${ending}`
    taken.add(own)
    return own
  })
}

export async function zipOf(files: readonly ZipFile[]): Promise<Blob> {
  const parts: BlobPart[] = []
  const directory: BlobPart[] = []
  let [offset, length] = [0, 0]
  const names = ownNames(files.map(({ name }) => name))
  for (const [i, { at, content }] of files.entries()) {
    const name = new TextEncoder().encode(names[i])
    const [time, date] = dosTime(at)
    const about: [2 | 4, number][] = [
      [2, VERSION],
      [2, UTF8_NAMES],
      [2, 0],
      [2, time],
      [2, date],
      [4, await crcOf(content)],
      [4, content.size],
      [4, content.size],
      [2, name.length],
      [2, 0],
    ]
    const head = record([4, 0x04034b50], ...about)
    const entry = record([4, 0x02014b50], [2, VERSION], ...about, [2, 0], [2, 0], [2, 0], [4, 0], [4, offset])
    parts.push(head, name, content)
    directory.push(entry, name)
    offset += head.length + name.length + content.size
    length += entry.length + name.length
  }
  const count = files.length
  const end = record([4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, length], [4, offset], [2, 0])
  return new Blob([...parts, ...directory, end], { type: 'application/zip' })
}
