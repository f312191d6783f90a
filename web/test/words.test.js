import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { load, web } from './load.js'

const languages = ['en', 'he']
const files = ['app', 'pages', 'errors', 'player', 'transcript']
const read = (language, file) => JSON.parse(readFileSync(path.join(web, 'src/i18n', language, `${file}.json`), 'utf8'))

/** { "a.b": "words" } */
const pairs = (words, under) =>
  Object.entries(words).flatMap(([key, value]) =>
    typeof value === 'string' ? [[under + key, value]] : pairs(value, `${under}${key}.`),
  )
const flat = (words) => Object.fromEntries(pairs(words, ''))
const PLURAL = /_(zero|one|two|few|many|other)$/
const plain = (words) => [...new Set(Object.keys(words).map((key) => key.replace(PLURAL, '')))].sort()
const blanks = (text) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name).sort()

for (const file of files)
  test(`${file}: both languages have the same words, with the same blanks`, () => {
    const [en, he] = languages.map((language) => flat(read(language, file)))
    assert.deepEqual(plain(en), plain(he))
    for (const [key, text] of Object.entries(en)) {
      if (PLURAL.test(key)) continue
      assert.deepEqual(blanks(he[key]), blanks(text), key)
    }
    for (const text of [...Object.values(en), ...Object.values(he)]) assert.notEqual(text.trim(), '')
  })

for (const language of languages)
  test(`${language}: what is counted has each plural of the language`, () => {
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions()
    const wanted = pluralCategories.filter((category) => category !== 'many') // of millions, and as `other`
    for (const file of files) {
      const words = flat(read(language, file))
      for (const name of new Set(
        Object.keys(words)
          .filter((key) => PLURAL.test(key))
          .map((key) => key.replace(PLURAL, '')),
      ))
        for (const category of wanted) assert.ok(words[`${name}_${category}`], `${name}_${category}`)
    }
  })

const defined = (file, pattern) =>
  [...readFileSync(path.join(web, '..', file), 'utf8').matchAll(pattern)].map(([, code]) => code).filter(Boolean)

test('every error code of the API has words in both languages', () => {
  const codes = [
    ...defined('src/domain/recording_error.def', /^X\(\w+, "(\w*)"/gm),
    ...defined('src/api/request/problem.def', /^PROBLEM\(\w+, \d+, "(\w+)"/gm),
  ]
  assert.ok(codes.length > 35)
  for (const language of languages) {
    const words = read(language, 'errors')
    for (const code of codes) assert.ok(words[code], `${code} in ${language}`)
  }
})

test('every act of the audit has words, and can be chosen', () => {
  const acts = defined('src/ledger/audit_action.def', /^X\(\w+, "(\w+)"/gm)
  assert.ok(acts.length > 20)
  const chosen = [...readFileSync(path.join(web, 'src/settings/Audit.tsx'), 'utf8').matchAll(/^ {2}'(\w+)',$/gm)]
  assert.deepEqual(
    chosen.map(([, act]) => act),
    acts,
  )
  for (const language of languages) assert.deepEqual(Object.keys(read(language, 'pages').audit.did), acts)
})

test('the words of later pages stand beside those of the first one, which are looked up under the same name', () => {
  for (const language of languages) {
    const [first, later] = ['app', 'pages'].map((file) => Object.keys(read(language, file)))
    assert.deepEqual(
      first.filter((section) => later.includes(section)),
      [],
    )
  }
})

test('every state of a recording, with every error, has words', async () => {
  const { told } = await load('recording/state.ts')
  const codes = [null, ...defined('src/domain/recording_error.def', /^X\(\w+, "(\w*)"/gm)]
  for (const language of languages) {
    const { recording } = read(language, 'app')
    for (const status of ['missing', 'queued', 'downloading', 'ready', 'failed', 'expired']) {
      assert.ok(recording.filter[status])
      for (const code of codes)
        for (const next_retry_at of [null, '2025-01-01T00:00:00Z'])
          for (const total of [null, 100]) {
            const error = code && { code, message: '' }
            const { key } = told({ recording_sid: 'RE', status, error, next_retry_at, progress: { bytes: 43, total } })
            assert.ok(recording[key], `${key} in ${language}`)
          }
    }
  }
})

test('every word that the source asks for is there', () => {
  const known = new Map(files.map((file) => [file, plain(flat(read('en', file)))]))
  known.set('app', [...known.get('app'), ...known.get('pages')])
  const sources = readdirSync(path.join(web, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => /\.tsx?$/.test(entry.name))
    .map((entry) => readFileSync(path.join(entry.parentPath ?? entry.path, entry.name), 'utf8'))
  let asked = 0
  for (const source of sources)
    for (const [, key] of source.matchAll(/\bt\(\s*'([\w:.-]+)'/g)) {
      const [file, name] = key.includes(':') ? key.split(':') : [null, key]
      const places = file ? [file] : files
      assert.ok(
        places.some((place) => known.get(place).includes(name)),
        key,
      )
      asked++
    }
  assert.ok(asked > 100)
})
