// The widths of the columns of the list, and the heights of its rows.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { judged, world } from './world.js'

let w
before(async () => {
  w = await world()
  await w.call({ seconds: 2, direction: 'inbound' })
})
after(() => w.stop())

const edgeOf = (page, column) => page.getByRole('separator', { name: column })
const middle = async (edge) => {
  const { x, y, width, height } = await edge.boundingBox()
  return { x: x + width / 2, y: y + height / 2 }
}

for (const language of ['en', 'he']) test(`a column is made wider with the mouse and the keys, and stays so, ${language}`, async () => {
  const page = await (await w.person({ options: { locale: language } })).newPage()
  await page.goto('/')
  await page.locator('.row[data-call]').first().waitFor()
  const towardsEnd = language === 'en' ? 1 : -1
  const edge = edgeOf(page, language === 'en' ? 'Width of Customer' : 'רוחב העמודה לקוח')
  const at = await middle(edge)
  await page.mouse.move(at.x, at.y)
  await page.mouse.down()
  await page.mouse.move(at.x - 60 * towardsEnd, at.y, { steps: 4 })
  await page.mouse.up()
  const moved = await middle(edge)
  assert.ok(Math.abs(moved.x - (at.x - 60 * towardsEnd)) < 2, 'the edge is where the pointer let go')
  await edge.focus()
  await page.keyboard.press(language === 'en' ? 'ArrowRight' : 'ArrowLeft')
  const further = await middle(edge)
  assert.ok(Math.abs(further.x - (moved.x + 16 * towardsEnd)) < 2, 'an arrow moves it, too')
  assert.ok(Number(await edge.getAttribute('aria-valuenow')) > 48)
  assert.deepEqual(await judged(page, `columns of other widths, ${language}`), [])
  await page.reload()
  await page.locator('.row[data-call]').first().waitFor()
  assert.ok(Math.abs((await middle(edge)).x - further.x) < 2, 'kept over a reload')
  const cell = await page.locator('.row[data-call] .cell-direction').first().boundingBox()
  const head = await page.locator('.row-head .cell-direction').boundingBox()
  assert.deepEqual([cell.x, cell.width], [head.x, head.width], 'rows and heads go together')
  await edge.dblclick()
  assert.ok(Math.abs((await middle(edge)).x - at.x) < 2, 'the usual width again')
  await page.context().close()
})

test('rows of one line hold more calls, and stay so', async () => {
  const page = await (await w.person()).newPage()
  await page.goto('/')
  const row = page.locator('.row[data-call]').first()
  await row.waitFor()
  const before = (await row.boundingBox()).height
  await page.getByRole('button', { name: 'Columns' }).click()
  await page.getByLabel('Rows of one line').check()
  await page.reload()
  await row.waitFor()
  assert.ok((await row.boundingBox()).height < before - 10)
  await page.context().close()
})

for (const locale of ['en', 'he']) test(`the icon of the search stands beside its words, also with text twice as large, ${locale}`, async () => {
  const page = await (await w.person({ options: { locale } })).newPage()
  await page.goto('/')
  const field = page.getByRole('searchbox')
  for (const size of ['15px', '30px'])
    for (const words of ['', 'Maya', 'מאיה']) {
      await page.evaluate((it) => (document.documentElement.style.fontSize = it), size)
      await field.fill(words)
      const icon = await page.locator('.search > .icon').boundingBox()
      const room = await field.evaluate((it) => {
        const { left, right } = it.getBoundingClientRect()
        const { paddingLeft, paddingRight } = getComputedStyle(it)
        return { left: left + Number.parseFloat(paddingLeft), right: right - Number.parseFloat(paddingRight) }
      })
      assert.ok(icon.x + icon.width <= room.left || icon.x >= room.right, `${size}, ${words || 'empty'}`)
    }
  await page.context().close()
})
