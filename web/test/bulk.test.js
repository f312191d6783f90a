import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { load } from './load.js'

/** What Python's zipfile, which checks each sum, finds in an archive. */
function unzipped(bytes) {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'callreel-zip-'))
  try {
    const file = path.join(folder, 'a.zip')
    writeFileSync(file, bytes)
    const look = `import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    print(json.dumps([[i.filename, list(i.date_time), z.read(i).decode()] for i in z.infolist()]))`
    return JSON.parse(execFileSync('python3', ['-c', look, file], { encoding: 'utf8' }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

test('an archive holds its files under names of their own, with their times', async () => {
  const { zipOf } = await load('calls/bulk/zip.ts')
  const file = (name, text) => ({ name, at: new Date(2026, 2, 1, 13, 5, 8), content: new Blob([text]) })
  const archive = await zipOf([file('ab.mp3', 'one'), file('מאיה.mp3', 'two'), file('ab.mp3', ''), file('ab', 'x')])
  const at = [2026, 3, 1, 13, 5, 8]
  assert.deepEqual(unzipped(Buffer.from(await archive.arrayBuffer())), [
    ['ab.mp3', at, 'one'],
    ['מאיה.mp3', at, 'two'],
    ['ab (2).mp3', at, ''],
    ['ab', at, 'x'],
  ])
  assert.deepEqual(unzipped(Buffer.from(await (await zipOf([])).arrayBuffer())), [])
})

test('a name that is taken gets the next number that is free', async () => {
  const { ownNames } = await load('calls/bulk/zip.ts')
  assert.deepEqual(ownNames(['a.mp3', 'a.mp3', 'a (2).mp3', 'a.mp3', '.mp3', '.mp3']), [
    'a.mp3',
    'a (2).mp3',
    'a (2) (2).mp3',
    'a (3).mp3',
    '.mp3',
    '.mp3 (2)',
  ])
})

test('the columns of a CSV file are those of the service, and no cell is a formula', async () => {
  const { csvOf } = await load('calls/bulk/csv.ts')
  const source = readFileSync(new URL('../../src/domain/call_csv.c', import.meta.url), 'utf8')
  const columns = [...source.match(/columns\[\] = \{([^}]*)\}/)[1].matchAll(/"(\w+)"/g)].map(([, name]) => name)
  assert.ok(columns.length > 15)
  const call = {
    call_sid: 'CA1',
    customer_name: '=1+1',
    agent: 'say "hi"',
    tags: ['a', 'b'],
    ref: '+1',
    recordings: [],
  }
  const [head, row, end] = csvOf([call]).split('\r\n')
  assert.equal(head, `\ufeff${columns.join(',')}`)
  assert.equal(row, `CA1,,,,,,,,'=1+1,,,"say ""hi""",,,"a, b",'+1,,0,,,`)
  assert.equal(end, '')
})
