// A transcript while it is made: asked for, under way, failed, ready. The engine is a server of this test.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { eventually, judged, world } from './world.js'

let w, engine
const asks = [] // requests that wait for their answer
before(async () => {
  engine = createServer((request, response) => {
    request.resume()
    request.on('end', () => asks.push(response))
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
  while (asks.length > 0) answer(asks.shift(), 200, heard)
  for (const each of [page, viewer]) await each.locator('.line-text', { hasText: 'Please call me back.' }).waitFor()
  await page.getByText('base, speech server').waitFor()
  assert.equal(await viewer.getByRole('button', { name: /ranscribe/ }).count(), 0, 'a viewer asks for nothing')
  for (const each of [page, viewer]) await each.context().close()
})

test('what it waits for is told', async () => {
  const call = await w.call({ seconds: 4, direction: 'inbound' })
  await w.until(call.recording_sid, 'ready')
  const page = await opened(call, { role: 'agent' })
  await page.getByRole('button', { name: 'Transcribe' }).click()
  await eventually(() => asks.length > 0)
  while (asks.length > 0) answer(asks.shift(), 401, { error: { message: 'Incorrect API key provided.' } })
  await page.getByText('The speech engine refuses our credentials.').waitFor()
  await page.context().close()
})
