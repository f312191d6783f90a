// A module of src/ as it is in the browser, for node's test runner.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export const web = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..')

export async function load(file) {
  const { outputFiles } = await build({
    entryPoints: [path.join(web, 'src', file)],
    bundle: true,
    write: false,
    format: 'esm',
    loader: { '.css': 'empty' },
    logLevel: 'silent',
  })
  const folder = mkdtempSync(path.join(os.tmpdir(), 'callreel-web-'))
  try {
    const bundle = path.join(folder, 'bundle.mjs')
    writeFileSync(bundle, outputFiles[0].contents)
    return await import(bundle)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
