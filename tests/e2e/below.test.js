// The page behind a proxy, below a path: PUBLIC_BASE_URL=http://…/reel.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { rowOf, sounds, watch, world } from './world.js'

let w, proxy, home, made
before(async () => {
  proxy = http.createServer((request, answer) => {
    const { method, headers, url } = request
    const inner = http.request(w.base + url, { method, headers }, (from) => {
      answer.writeHead(from.statusCode, from.headers)
      from.pipe(answer)
    })
    inner.on('error', () => answer.destroy())
    answer.on('close', () => inner.destroy())
    request.pipe(inner)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  home = `http://127.0.0.1:${proxy.address().port}/reel`
  w = await world({ settings: { PUBLIC_BASE_URL: home } })
  made = await w.call({ seconds: 6 })
  await w.until(made.recording_sid, 'ready')
})
after(async () => {
  proxy.closeAllConnections()
  proxy.close()
  await w.stop()
})

test('all of the page lives below its path: signing in by link, the list, a call, sound, news', async () => {
  const context = await w.person({ role: null })
  const page = await context.newPage()
  const seen = watch(page)
  await page.goto(/http\S+/.exec(w.run('signin', '--business', '1', '--role', 'agent'))[0])
  await page.getByRole('button', { name: 'Sign in' }).click()
  await rowOf(page, made).waitFor()
  assert.equal(page.url(), `${home}/`)
  await page.locator('[data-live="live"]').waitFor()
  await rowOf(page, made).getByRole('link').click()
  await page.waitForURL(`${home}/calls/${made.call_sid}`)
  await page.reload()
  await page.locator('.card .play').click()
  await sounds(page)
  await page.getByRole('button', { name: 'Share' }).click()
  await page.getByRole('button', { name: 'Make a link' }).click()
  assert.match(await page.getByLabel('Link', { exact: true }).inputValue(), new RegExp(`^${home}/embed/`))
  assert.deepEqual(seen.asked.filter(({ url }) => !url.href.startsWith(`${home}/`)), [])
  assert.deepEqual(seen.complaints, [])
  await context.close()
})
