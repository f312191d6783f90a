// Starts a simulator for one test file, and a server that receives its webhooks.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
export const build = path.resolve(process.env.CALLREEL_BUILD ?? path.join(root, 'build-test'))

export async function receive() {
  const hooks = []
  const waiting = []
  const server = http.createServer(async (request, response) => {
    let body = ''
    for await (const part of request) body += part
    hooks.push({ url: request.url, headers: request.headers, fields: Object.fromEntries(new URLSearchParams(body)) })
    response.writeHead(204).end()
    for (const look of waiting) look()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    base: `http://127.0.0.1:${server.address().port}`,
    hooks,
    // Resolves when that many have come.
    count: (n) => new Promise((resolve) => {
      const look = () => hooks.length >= n && resolve(hooks)
      waiting.push(look)
      look()
    }),
    close: () => server.close(),
  }
}

export async function simulate(...options) {
  const accountSid = `AC${randomBytes(16).toString('hex')}`
  const token = randomBytes(16).toString('hex')
  const child = spawn(path.join(build, 'callreel-sim'),
    ['--listen', '127.0.0.1:0', '--account', accountSid, '--token', token, ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  const base = /listening on (http:\S+)/.exec(line)[1]
  return {
    accountSid, token, base,
    async make(wishes = {}) {
      const answer = await fetch(`${base}/sim/calls`, { method: 'POST', body: JSON.stringify(wishes) })
      if (answer.status !== 201) throw new Error(await answer.text())
      return answer.json()
    },
    async stop() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
