// Telephone numbers as people read them. Pure. The calling codes are ITU's E.164 list. Any other text stays as it is.
import { numberingOf } from './numbering'

const ONE = '17'
const TWO =
  '20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98'
const THREE = /^(?:2[1-6]|29|35|37|38|42|50|59|67|68|69|80|85|87|88|96|97|99)\d/

/** "972" of "97235550000"; null: no such code. */
function callingCode(digits: string): string | null {
  if (ONE.includes(digits.charAt(0))) return digits.charAt(0)
  const two = digits.slice(0, 2)
  if (TWO.split(' ').includes(two)) return two
  return THREE.test(digits) ? digits.slice(0, 3) : null
}

const byLength: Record<number, string> = {
  6: '3 3',
  7: '3 4',
  8: '4 4',
  9: '2 3 4',
  10: '3 3 4',
  11: '3 4 4',
  12: '4 4 4',
}

/** "2", "3", "4" of "501234567": ["50", "123", "4567"]; null: it is of another length. */
function grouped(rest: string, sizes: readonly string[]): string[] | null {
  let at = 0
  const groups = sizes.map((size) => {
    const from = at
    at = size === '*' ? rest.length : at + Number(size)
    return rest.slice(from, at)
  })
  return at === rest.length && groups.every(Boolean) ? groups : null
}

/** The calling code of a number, or of the beginning that all numbers of a business share; null: none, or it is not complete yet. */
export function countryOf(number: string | null): string | null {
  const digits = number && /^\+(\d+)$/.exec(number)?.[1]
  return digits ? callingCode(digits) : null
}

/** +97235550000 as +972 3 555 0000, and where `home` is 972 as 03-555-0000. */
export function readable(number: string, home: string | null = null): string {
  const digits = /^\+(\d{7,15})$/.exec(number)?.[1]
  const code = digits && callingCode(digits)
  if (!code) return number
  const rest = digits.slice(code.length)
  const numbering = numberingOf(code)
  for (const { begins, sizes, bare } of numbering?.rules ?? []) {
    const groups = begins.test(rest) && grouped(rest, sizes)
    if (!groups) continue
    if (!numbering || code !== home) return `+${code} ${groups.join(' ')}`
    return (bare ? '' : numbering.before) + groups.join(numbering.between)
  }
  const sizes = byLength[rest.length]
  return `+${code} ${(sizes && grouped(rest, sizes.split(' '))?.join(' ')) || rest}`
}

export const isNumber = (text: string) => /^\+?\d+$/.test(text)
