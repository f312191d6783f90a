// Starts a callreel for one test file.
import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { build } from './simulator.js'

export async function serve(settings) {
  const directory = await mkdtemp(path.join(tmpdir(), 'callreel-peer-'))
  const env = { PATH: process.env.PATH, LISTEN: '127.0.0.1:0', DATA_DIR: directory, MIN_FREE_BYTES: '0', ...settings }
  const binary = path.join(build, 'callreel')
  const child = spawn(binary, ['serve'], { stdio: ['ignore', 'ignore', 'pipe'], env })
  let base
  for await (const line of createInterface({ input: child.stderr })) {
    const found = /msg="?Listening"?.* address="?(127\.0\.0\.1:\d+)/.exec(line)
    if (found) { base = `http://${found[1]}`; break }
  }
  child.stderr.resume()
  assert.ok(base, 'callreel did not say where it listens')
  while ((await fetch(`${base}/readyz`)).status !== 200) await new Promise(setImmediate)
  return {
    base,
    // What a command of callreel writes, beside the server.
    run: async (...argv) => (await promisify(execFile)(binary, argv, { env })).stdout,
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
      await rm(directory, { recursive: true })
    },
  }
}
