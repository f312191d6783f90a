// A transcript while it is made: asked for, under way, failed, ready. The engine is a server of this test.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { eventually, judged, watch, world } from './world.js'

let w, engine
const asks = [] // requests that wait for their answer
let says = null // the answer to each request at once; null: the request waits in asks
before(async () => {
  engine = createServer((request, response) => {
    request.resume()
    request.on('end', () => (says ? answer(response, ...says) : asks.push(response)))
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => engine.once('listening', resolve))
  w = await world({ settings: { SPEECH_ENGINE: 'openai', SPEECH_MODEL: 'base', SPEECH_URL: `http://127.0.0.1:${engine.address().port}` } })
  w.run('business', 'set', '1', '--transcribe', 'asked')
})
after(async () => {
  for (const response of asks) response.destroy()
  engine.close()
  await w.stop()
})

/** Those that wait, and all that come. */
function answerAll(...it) {
  says = it
  while (asks.length > 0) answer(asks.shift(), ...it)
}
const answer = (response, status, body) => response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body))
const words = ['Please', ' call', ' me', ' back.'].map((word, i) => ({ word, start: 0.4 + i * 0.3, end: 0.7 + i * 0.3, probability: 0.9 }))
const heard = { language: 'english', duration: 3, text: 'Please call me back.', segments: [{ id: 0, start: 0.4, end: 1.6, text: ' Please call me back.', words }] }
async function opened(call, wishes) {
  const page = await (await w.person(wishes)).newPage()
  await page.goto(`/calls/${call.call_sid}`)
  await page.locator('.card-wave .seek-wave').waitFor()
  return page
}

test('somebody asks for a transcript, sees how far it is, and reads it when it is here', async () => {
  const call = await w.call({ seconds: 4, direction: 'inbound' })
  await w.until(call.recording_sid, 'ready')
  const viewer = await opened(call, { role: 'viewer' })
  const page = await opened(call, { role: 'agent' })
  await page.getByRole('button', { name: 'Transcribe' }).click()
  for (const each of [page, viewer]) await each.getByText(/Being transcribed/).waitFor()
  assert.deepEqual(await judged(page, 'being transcribed'), [])
  await eventually(() => asks.length > 0)
  answerAll(200, heard)
  for (const each of [page, viewer]) await each.locator('.line-text', { hasText: 'Please call me back.' }).waitFor()
  await page.getByText('base, speech server').waitFor()
  assert.equal(await viewer.getByRole('button', { name: /ranscribe/ }).count(), 0, 'a viewer asks for nothing')
  for (const each of [page, viewer]) await each.context().close()
})

test('a transcript that nobody asked for is not looked for, until somebody asks', async () => {
  says = null
  const call = await w.call({ seconds: 4, direction: 'inbound' })
  await w.until(call.recording_sid, 'ready')
  const page = await (await w.person({ role: 'agent' })).newPage()
  const seen = watch(page)
  const told = [] // messages of the browser itself in the console
  page.on('console', (message) => message.type() === 'error' && told.push(message.text()))
  await page.goto(`/calls/${call.call_sid}`)
  await page.getByRole('button', { name: 'Transcribe' }).waitFor()
  const path = `/api/recordings/${call.recording_sid}/transcript`
  assert.equal(seen.paths(path).length, 0)
  assert.deepEqual(told, [])
  await w.api('POST', `/api/recordings/${call.recording_sid}/transcribe`)
  await page.getByText(/eing transcribed/).waitFor()
  assert.notEqual(seen.paths(path).length, 0)
  answerAll(200, heard)
  await page.locator('.line-text', { hasText: 'Please call me back.' }).waitFor()
  await page.context().close()
})

test('what it waits for is told, also to one who comes later', async () => {
  const call = await w.call({ seconds: 4, direction: 'inbound' })
  await w.until(call.recording_sid, 'ready')
  const page = await opened(call, { role: 'agent' })
  answerAll(401, { error: { message: 'Incorrect API key provided.' } })
  await page.getByRole('button', { name: 'Transcribe' }).click()
  await page.getByText('The speech engine refuses our credentials.').waitFor()
  const later = await opened(call, { role: 'viewer' })
  await later.getByText('The speech engine refuses our credentials.').waitFor()
  for (const each of [page, later]) await each.context().close()
})
