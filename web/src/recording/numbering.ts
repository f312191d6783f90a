// How countries write their numbers, by ITU's calling codes. Each line: the calling code, the prefix of a number within the country
// ("-": nothing), the sign between its groups there ("_": a blank), then the rules: the beginning of the number, "=" and the sizes of
// its groups; "*": the rest; "!": within the country without the prefix. The first rule that fits by beginning and length
// counts. A country without a line, or a number without a rule, is grouped by length and always written with its calling code.
const LINES = `
1 - - [2-9]=3.3.4
7 8- - [3-9]=3.3.2.2
20 0 _ 1=2.8 [23]=1.8 [4-9]=2.7
27 0 _ [1-8]=2.3.4
30 - _ 21=2.4.4 2=4.6 [689]=3.3.4
31 0 _ 6=1.8 (1[16-8]|2[259]|3[124]|4[17-9]|5[124679])=3.3.3 [1-57]=2.3.4
32 0 _ 4=3.2.2.2 ([239]|4[23])=1.3.2.2 [15-8]=2.2.2.2
33 0 _ [1-79]=1.2.2.2.2
34 - _ [5-9]=3.2.2.2
39 - _ 0[26]=2.4.4 3=3.3.4
40 0 _ [23]1=2.3.4 [237-9]=3.3.3
41 0 _ [2-79]=2.3.2.2
43 0 _ 1=1.7 6=3.*
44 0 _ 2=2.4.4 7=4.6 (11|1.1)=3.3.4 1=4.6 [389]=3.3.4
45 - _ [2-9]=2.2.2.2
46 0 _ 7=2.3.2.2 8=1.3.3.2
47 - _ 8=3.2.3 [2-79]=2.2.2.2
48 - _ (45|5[0137]|6[069]|7[2389]|88)=3.3.3 [1-9]=2.3.2.2
49 0 _ 15=4.7 1[67]=3.* ([34]0|69|89)=2.*
52 - _ (33|5[56]|81)=2.4.4 [2-9]=3.3.4
55 - _ [1-9]=2.4.4 [1-9]=2.5.4
56 - _ [29]=1.4.4 [3-7]=2.3.4
57 - _ [36]=3.7
60 0 - 3=1.4.4 1=2.3.4 1=2.4.4 [4-79]=1.3.4
61 0 _ 4=3.3.3 [2378]=1.4.4
62 0 - 8=3.4.3 8=3.4.4 8=3.4.5
63 0 _ 9=3.3.4 2=1.4.4
64 0 _ 2=2.3.3 2=2.3.4 2=2.4.4 [34679]=1.3.4
65 - _ [3689]=4.4
66 0 - 2=1.3.4 [689]=2.3.4 [3-7]=2.3.3
81 0 - [789]0=2.4.4 [36]=1.4.4
82 0 - 2=1.4.4 2=1.3.4 10=2.4.4 [3-6]=2.3.4 [3-6]=2.4.4
84 0 _ 2[48]=2.4.4 2=3.4.3 [35789]=3.3.3
86 0 _ 1[3-9]=!3.4.4 (10|2)=2.4.4
90 0 _ [2-5]=3.3.2.2
91 0 _ [6-9]=!5.5 (11|2[02]|33|44)=2.4.4
234 0 _ [789]=3.3.4
254 0 _ [17]=3.6 [24-6]=2.7
351 - _ 2[12]=2.3.4 [2369]=3.3.3
353 0 _ 1=1.3.4 8=2.3.4
354 - _ [4-9]=3.4
357 - _ [29]=2.6
358 0 _ (4|50)=2.* 9=1.*
371 - _ [26]=2.3.3
380 0 _ [3-9]=2.3.2.2
420 - _ [2-7]=3.3.3
421 0 _ 9=3.3.3 2=1.3.3.2 [3-5]=2.3.2.2
852 - _ [2-9]=4.4
886 0 - 9=3.3.3 [24]=1.4.4 [3-8]=1.3.4
962 0 _ 7=1.4.4 [2356]=1.3.4
965 - _ [2569]=4.4
966 0 _ [15]=2.3.4
971 0 _ 5=2.3.4 [234679]=1.3.4
972 0 - 1[78]=!1.3.3.3 [57]=2.3.4 [2-489]=1.3.4
973 - _ [1367]=4.4
974 - _ [3-7]=4.4
`

interface Rule {
  begins: RegExp
  sizes: string[]
  bare: boolean
}
export interface Numbering {
  before: string
  between: string
  rules: Rule[]
}

function ruleOf(text: string): Rule {
  const [, begins, bare, sizes = ''] = /^(.+)=(!?)(.+)$/.exec(text) ?? []
  return { begins: new RegExp(`^${begins}`), sizes: sizes.split('.'), bare: bare === '!' }
}

const lines = new Map(
  LINES.trim()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf(' ')), line]),
)
const read = new Map<string, Numbering>()

/** Of a calling code; null: there is no line. A line is read when it is first asked for. */
export function numberingOf(code: string): Numbering | null {
  const [, before, between, ...rules] = lines.get(code)?.split(' ') ?? []
  if (!before || !between) return null
  let numbering = read.get(code)
  if (!numbering) {
    numbering = {
      before: before === '-' ? '' : before,
      between: between === '_' ? ' ' : between,
      rules: rules.map(ruleOf),
    }
    read.set(code, numbering)
  }
  return numbering
}
