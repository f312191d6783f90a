// Compares a picture with the one that is kept in pictures/. Blocks of 4 by 4 pixels are compared by their mean colour, so that
// the edges of letters may be drawn otherwise; a few blocks may differ. `npm run pictures` makes the kept ones again.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const kept = path.join(path.dirname(fileURLToPath(import.meta.url)), 'pictures')
const out = path.join(os.tmpdir(), 'callreel-pictures')
const renew = process.env.CALLREEL_PICTURES === 'renew'
const COLOUR = 24 // of 255: how far a block's mean may be off
const SHARE = 0.0004 // of all blocks may be further off

/** Runs in a browser: a PNG as a WebP, which is a third of it. */
async function smaller(png) {
  const bitmap = await createImageBitmap(await (await fetch(png)).blob())
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
  canvas.getContext('2d').drawImage(bitmap, 0, 0)
  const bytes = new Uint8Array(await (await canvas.convertToBlob({ type: 'image/webp', quality: 0.85 })).arrayBuffer())
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

/** Runs in a browser: where two pictures differ. `drawn`: the differing blocks in red over the first. */
async function differences([before, after, colour]) {
  const size = 4
  const pixels = async (data) => {
    const bitmap = await createImageBitmap(await (await fetch(data)).blob())
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext('2d')
    context.drawImage(bitmap, 0, 0)
    return { canvas, context, width: bitmap.width, height: bitmap.height, data: context.getImageData(0, 0, bitmap.width, bitmap.height).data }
  }
  const [a, b] = [await pixels(before), await pixels(after)]
  if (a.width !== b.width || a.height !== b.height) return { share: 1, drawn: null, words: `${a.width}x${a.height} is now ${b.width}x${b.height}` }
  const meanAt = ({ data, width, height }, x, y, channel) => {
    let sum = 0
    let count = 0
    for (let j = y; j < Math.min(y + size, height); j++)
      for (let i = x; i < Math.min(x + size, width); i++, count++) sum += data[(j * width + i) * 4 + channel]
    return sum / count
  }
  let differing = 0
  let blocks = 0
  a.context.fillStyle = 'rgb(255 0 0 / 60%)'
  for (let y = 0; y < a.height; y += size)
    for (let x = 0; x < a.width; x += size, blocks++)
      if ([0, 1, 2].some((channel) => Math.abs(meanAt(a, x, y, channel) - meanAt(b, x, y, channel)) > colour)) {
        differing++
        a.context.fillRect(x, y, size, size)
      }
  const bytes = new Uint8Array(await (await a.canvas.convertToBlob()).arrayBuffer())
  return { share: differing / blocks, drawn: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')), words: `${differing} of ${blocks} blocks differ` }
}

/** Null: the page looks as it is kept. Else what is wrong, and where the pictures are. `blank`: any page without a policy. */
export async function differs(name, page, blank, options = {}) {
  const now = await page.screenshot({ animations: 'disabled', caret: 'hide', ...options })
  const file = path.join(kept, `${name}.webp`)
  const url = (bytes, kind) => `data:image/${kind};base64,${bytes.toString('base64')}`
  if (renew) {
    writeFileSync(file, Buffer.from(await blank.evaluate(smaller, url(now, 'png')), 'base64'))
    return null
  }
  if (!existsSync(file)) return `${name}: there is no ${file}; npm run pictures makes it`
  const { share, drawn, words } = await blank.evaluate(differences, [url(readFileSync(file), 'webp'), url(now, 'png'), COLOUR])
  if (share <= SHARE) return null
  mkdirSync(out, { recursive: true })
  const where = path.join(out, name)
  writeFileSync(`${where}.png`, now)
  if (drawn) writeFileSync(`${where}-differs.png`, Buffer.from(drawn, 'base64'))
  return `${name}: ${words}; see ${where}*.png, or make it anew: npm run pictures`
}
