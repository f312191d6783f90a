import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { rowOf, watch, world } from './world.js'

let w, made
before(async () => {
  w = await world()
  made = await w.call({ seconds: 2 })
  await made.name('Maya Rosen')
})
after(() => w.stop())

const heading = (page) => page.getByRole('heading', { name: 'Sign in' })
async function enter(page, key) {
  await page.getByLabel('API key').fill(key)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

test('somebody unknown is asked for a key, and a wrong one is refused in words', async () => {
  const page = await (await w.person({ role: null })).newPage()
  const seen = watch(page)
  await page.goto('/?q=Maya')
  await heading(page).waitFor()
  assert.deepEqual(seen.paths('/api/').sort(), ['/api/calls', '/api/session']) // both are asked at once, beside the script
  await enter(page, 'cr_wrong')
  await page.getByRole('alert').getByText('That key is not valid.').waitFor()
  await enter(page, w.keys.viewer)
  await rowOf(page, made).waitFor()
  assert.equal(new URL(page.url()).search, '?q=Maya')
  await page.context().close()
})

test('a one-time link signs in, once', async () => {
  const link = /token=[\w-]+/.exec(w.run('signin', '--business', '1', '--role', 'agent'))[0]
  const page = await (await w.person({ role: null })).newPage()
  await page.goto(`/signin?${link}`)
  await page.getByText('as agent').waitFor()
  await page.getByRole('button', { name: 'Sign in' }).click()
  await rowOf(page, made).waitFor()
  assert.equal(new URL(page.url()).pathname, '/')
  const other = await (await w.person({ role: null })).newPage()
  const answer = await other.goto(`/signin?${link}`)
  assert.equal(answer.status(), 401)
  assert.match(await other.locator('body').innerText(), /link/i)
  await page.context().close()
  await other.context().close()
})

test('signing out ends it in all tabs', async () => {
  const context = await w.person()
  const [page, other] = [await context.newPage(), await context.newPage()]
  for (const tab of [page, other]) {
    await tab.goto('/')
    await rowOf(tab, made).waitFor()
  }
  await page.getByRole('button', { name: 'Settings and account' }).click()
  await page.getByRole('menuitem', { name: 'Sign out' }).click()
  await page.waitForURL('**/signed-out')
  await page.getByText('You are signed out.').waitFor()
  await heading(other).waitFor()
  assert.equal((await context.request.get('/api/session')).status(), 401)
  await enter(page, w.keys.agent)
  await rowOf(page, made).waitFor()
  assert.equal(new URL(page.url()).pathname, '/')
  await rowOf(other, made).waitFor()
  await context.close()
})

test('signed out is said only when it is so: offline, and when the service fails', async () => {
  const context = await w.person()
  const page = await context.newPage()
  await page.goto('/')
  await rowOf(page, made).waitFor()
  const open = () => page.getByRole('button', { name: 'Settings and account' }).click()
  const press = () => page.getByRole('menuitem', { name: 'Sign out' }).click()
  const still = page.getByText('You are still signed in: the service did not answer. Try again.')
  await open()
  await page.getByRole('menuitem', { name: 'Sign out' }).waitFor()
  await context.setOffline(true)
  await press()
  await still.waitFor()
  await context.setOffline(false)
  const failing = (route) =>
    route.request().method() === 'DELETE'
      ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"code":"unavailable"}' })
      : route.fallback()
  await page.route('**/api/session', failing)
  await open()
  await press()
  await still.waitFor()
  assert.equal(new URL(page.url()).pathname, '/')
  assert.equal((await context.request.get('/api/session')).status(), 200)
  await page.unroute('**/api/session', failing)
  await open()
  await press()
  await page.getByText('You are signed out.').waitFor()
  assert.equal((await context.request.get('/api/session')).status(), 401)
  await context.close()
})

test('a session that ends asks for a key on the spot, and all is where it was', async () => {
  const { key } = JSON.parse(w.run('key', 'create', '--json', '--business', '1', '--role', 'agent', '--name', 'passing'))
  const page = await (await w.person({ key })).newPage()
  await page.goto('/?q=Maya&direction=inbound')
  await rowOf(page, made).waitFor()
  await page.evaluate(() => { window.same = true })
  const id = JSON.parse(w.run('key', 'list', '--json')).find((one) => one.name === 'passing').key_id
  w.run('key', 'revoke', String(id))
  await page.getByRole('dialog').getByText('Your session has ended.').waitFor()
  await enter(page, w.keys.agent)
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await rowOf(page, made).waitFor()
  assert.equal(new URL(page.url()).search, '?q=Maya&direction=inbound')
  assert.equal(await page.evaluate(() => window.same), true)
  assert.equal(await page.getByRole('searchbox').inputValue(), 'Maya')
  await page.context().close()
})
