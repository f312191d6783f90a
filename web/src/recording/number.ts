// Telephone numbers as people read them. Pure. The calling codes are ITU's E.164 list; how a country groups the rest is known for
// a few, and the others are grouped from the end. What is no number of E.164 stays as it is.

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

// Of a calling code: what the rest begins with, how long it is, its groups.
const groups: Record<string, [RegExp, string][]> = {
  '1': [[/^\d{10}$/, '3 3 4']],
  '7': [[/^\d{10}$/, '3 3 2 2']],
  '33': [[/^\d{9}$/, '1 2 2 2 2']],
  '34': [[/^\d{9}$/, '3 3 3']],
  '44': [
    [/^2\d{9}$/, '2 4 4'],
    [/^7\d{9}$/, '4 6'],
  ],
  '48': [[/^\d{9}$/, '3 3 3']],
  '61': [
    [/^4\d{8}$/, '3 3 3'],
    [/^\d{9}$/, '1 4 4'],
  ],
  '351': [[/^\d{9}$/, '3 3 3']],
  '380': [[/^\d{9}$/, '2 3 2 2']],
  '972': [
    [/^[57]\d{8}$/, '2 3 4'],
    [/^\d{8}$/, '1 3 4'],
  ],
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

function grouped(rest: string, sizes: string | undefined): string {
  if (!sizes) return rest
  let at = 0
  return sizes
    .split(' ')
    .map((size) => {
      at += Number(size)
      return rest.slice(at - Number(size), at)
    })
    .join(' ')
}

/** +97235550000 as +972 3 555 0000. */
export function readable(number: string): string {
  const digits = /^\+(\d{7,15})$/.exec(number)?.[1]
  const code = digits && callingCode(digits)
  if (!code) return number
  const rest = digits.slice(code.length)
  const sizes = groups[code]?.find(([shape]) => shape.test(rest))?.[1] ?? byLength[rest.length]
  return `+${code} ${grouped(rest, sizes)}`
}

export const isNumber = (text: string) => /^\+?\d+$/.test(text)
