// docs/openapi.yaml is valid, has every route and error code, and matches the responses of the running server.
import { createConfig, lint } from '@redocly/openapi-core'
import Ajv from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { serve } from './callreel.js'
import { simulate } from './simulator.js'

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..')
const file = path.join(root, 'docs/openapi.yaml')
const text = await readFile(file, 'utf8')
const api = parse(text)
const source = (name) => readFile(path.join(root, name), 'utf8')
const sorted = (values) => [...values].sort()
const methods = ['get', 'put', 'post', 'delete', 'patch']
const operations = Object.entries(api.paths).flatMap(([where, item]) =>
  methods.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${where}`))

describe('the description', () => {
  it('is well made', async () => {
    const config = await createConfig({
      extends: ['recommended'],
      rules: {
        'info-license': 'off', // it is the operator's own
        'no-ambiguous-paths': 'off', // paths of earlier systems are kept; no id is called "file" or "download"
        'operation-4xx-response': 'off', // health knows none
        'operation-2xx-response': 'off', // a sign-in link redirects
      },
    })
    const findings = await lint({ ref: file, config })
    assert.deepEqual(findings.map((f) => `${f.ruleId}: ${f.message} ${f.location[0]?.pointer}`), [])
  })

  it('holds every route of the API, and no other', async () => {
    const rows = [...(await source('src/api/routes.c')).matchAll(/\{HTTP_(\w+), "([^"]+)", [^{}]*?(\w+)\}/g)]
    assert.ok(rows.length > 20)
    const ofPage = /^api_(page|asset|icon|embed_page|player_script)/ // what hands out the page's files
    assert.deepEqual(sorted(operations), sorted(rows.filter((row) => !ofPage.test(row[3])).map((row) => `${row[1]} ${row[2]}`)))
  })

  it('holds every code of a recording and of a problem', async () => {
    const recording = [...(await source('src/domain/recording_error.def')).matchAll(/^X\(\w+, "(\w+)"/gm)].map((m) => m[1])
    const problem = [...(await source('src/api/request/problem.def')).matchAll(/^PROBLEM\(\w+, \d+, "(\w+)"/gm)].map((m) => m[1])
    const told = api.components.schemas
    assert.deepEqual(sorted(told.RecordingErrorCode.enum), sorted(recording))
    const others = told.ProblemCode.anyOf[1].enum
    assert.deepEqual(sorted(others), sorted(new Set(problem.filter((code) => !recording.includes(code)))))
    const statuses = [...(await source('src/ledger/recording_status.def')).matchAll(/^X\(\w+, "(\w+)"/gm)].map((m) => m[1])
    assert.deepEqual(sorted(told.RecordingStatus.enum), sorted(statuses))
  })
})

describe('the running server', () => {
  const ajv = new Ajv({ strict: false, allErrors: true })
  formats(ajv)
  ajv.addSchema(api, 'api')
  const asked = new Set()
  let callreel, provider, keys, ready, base

  before(async () => {
    provider = await simulate()
    callreel = await serve({
      TWILIO_ACCOUNT_SID: provider.accountSid, TWILIO_AUTH_TOKEN: provider.token, TWILIO_BASE_URL: provider.base,
    })
    base = callreel.base
    keys = {}
    for (const role of ['viewer', 'agent', 'admin'])
      keys[role] = JSON.parse(await callreel.run('key', 'create', '--json', '--business', '1', '--role', role)).key
    keys.platform = JSON.parse(await callreel.run('key', 'create', '--json', '--platform')).key
    while ((await fetch(`${base}/api/stats`, { headers: bearer('admin') })).status !== 200) await new Promise(setImmediate)
    ready = await provider.make({ seconds: 3 })
    await tell('recording', ready)
    await tell('call', ready)
    while ((await status()).status !== 'ready') await new Promise((r) => setTimeout(r, 20))
  })
  after(async () => {
    await callreel?.stop()
    await provider?.stop()
  })

  const bearer = (role) => ({ Authorization: `Bearer ${keys[role]}` })
  const status = async () =>
    (await fetch(`${base}/api/recordings/${ready.recording_sid}/status`, { headers: bearer('viewer') })).json()
  const fieldsOf = (kind, made) => kind === 'call'
    ? { AccountSid: provider.accountSid, CallSid: made.call_sid, CallStatus: 'completed', Direction: 'inbound', From: '+15005550100', To: '+15005550199' }
    : { AccountSid: provider.accountSid, CallSid: made.call_sid, RecordingSid: made.recording_sid, RecordingUrl: made.recording_url, RecordingStatus: 'completed' }
  const tell = async (kind, made) => {
    const { default: twilio } = await import('twilio')
    const target = `${base}/webhooks/twilio/1/${kind}`
    const fields = fieldsOf(kind, made)
    const answer = await fetch(target, {
      method: 'POST', body: new URLSearchParams(fields),
      headers: { 'X-Twilio-Signature': twilio.getExpectedTwilioSignature(provider.token, target, fields) },
    })
    assert.equal(answer.status, 204)
  }

  const pointer = (part) => part.replaceAll('~', '~0').replaceAll('/', '~1')
  const resolve = (node) => node.$ref ? node.$ref.slice(2).split('/').reduce((at, name) => at[name], api) : node

  // Asks, and holds the answer against what is written of it.
  async function ask(method, where, { params = {}, query = '', expect, ...options } = {}) {
    asked.add(`${method} ${where}`)
    const target = where.replace(/\{(\w+)\}/g, (_, name) => params[name])
    const answer = await fetch(base + target + query, { method, redirect: 'manual', ...options })
    const what = `${method} ${target}${query.replace(/=.*/, '=…')}: ${answer.status}`
    assert.equal(answer.status, expect, what)
    const told = api.paths[where][method.toLowerCase()].responses[answer.status]
    assert.ok(told, `${what} is not described`)
    const { content = {} } = resolve(told)
    const type = answer.headers.get('content-type')?.split(';')[0]
    if (type === 'text/event-stream') {
      await answer.body.cancel()
      assert.ok(content[type], what)
      return answer
    }
    const body = Buffer.from(await answer.arrayBuffer())
    if (body.length === 0) return answer
    assert.ok(content[type], `${what} has ${type}, which is not described`)
    if (!type.endsWith('json')) return answer
    const media = content[type].schema
    const validate = ajv.compile({ $ref: media.$ref ? `api${media.$ref}`
      : `api#/paths/${pointer(where)}/${method.toLowerCase()}/responses/${answer.status}/content/${pointer(type)}/schema` })
    const json = JSON.parse(body)
    assert.ok(validate(json), `${what}: ${ajv.errorsText(validate.errors)}\n${body.subarray(0, 600)}`)
    return json
  }

  it('answers every path as it is described', async () => {
    const call = { params: { call_sid: ready.call_sid }, headers: bearer('agent') }
    const one = { params: { id: ready.recording_sid }, headers: bearer('agent') }
    const admin = { headers: bearer('admin') }
    const list = await ask('GET', '/api/calls', { expect: 200, headers: bearer('viewer') })
    assert.equal(list.calls.length, 1)
    await ask('GET', '/api/calls', { expect: 400, query: '?limit=0', headers: bearer('viewer') })
    await ask('GET', '/api/calls.csv', { expect: 200, headers: bearer('agent') })
    await ask('GET', '/api/calls/{call_sid}', { expect: 200, ...call })
    const json = { 'Content-Type': 'application/merge-patch+json' }
    await ask('PATCH', '/api/calls/{call_sid}', { ...call, expect: 200, headers: { ...bearer('agent'), ...json }, body: '{"customer_name":"Dana","metadata":{"a":[1]}}' })
    await ask('PATCH', '/api/calls/{call_sid}', { ...call, expect: 415, body: 'x', headers: { ...bearer('agent'), 'Content-Type': 'text/plain' } })
    await ask('PATCH', '/api/calls/{call_sid}', { ...call, expect: 403, headers: { ...bearer('viewer'), ...json }, body: '{}' })
    for (const where of ['/api/calls/{call_sid}/download', '/api/calls/download/{call_sid}']) await ask('GET', where, { ...call, expect: 200 })
    for (const where of ['/api/recordings/{id}/download', '/api/recordings/{id}/stream', '/api/recordings/file/{id}']) {
      await ask('GET', where, { ...one, expect: 200 })
      await ask('GET', where, { ...one, expect: 206, headers: { ...bearer('viewer'), Range: 'bytes=0-9' } })
      await ask('GET', where, { ...one, expect: 416, headers: { ...bearer('viewer'), Range: 'bytes=99999999-' } })
    }
    await ask('GET', '/api/recordings/{id}/status', { ...one, expect: 200 })
    await ask('GET', '/api/recordings/{id}/card', { ...one, expect: 200 })
    const waveform = await ask('GET', '/api/recordings/{id}/waveform', { ...one, expect: 200 })
    assert.equal(waveform.data.length, waveform.length * waveform.channels * 2)
    await ask('GET', '/api/recordings/{id}/waveform', { ...one, expect: 200, headers: { ...bearer('viewer'), Accept: 'application/octet-stream' } })
    const plain = { 'Content-Type': 'application/json' }
    const writing = (value) => ({ headers: { ...bearer('agent'), ...plain }, body: JSON.stringify(value) })
    const note = await ask('POST', '/api/recordings/{id}/notes', { ...one, ...writing({ at: 1.5, text: 'Agreed' }), expect: 201 })
    await ask('POST', '/api/recordings/{id}/notes', { ...one, ...writing({}), expect: 400 })
    const ofNote = { params: { ...one.params, note_id: note.id } }
    await ask('PATCH', '/api/recordings/{id}/notes/{note_id}', { ...ofNote, ...writing({ at: null }), expect: 200 })
    assert.equal((await ask('GET', '/api/recordings/{id}/notes', { ...one, expect: 200 })).notes.length, 1)
    await ask('DELETE', '/api/recordings/{id}/notes/{note_id}', { ...ofNote, headers: bearer('agent'), expect: 204 })
    await ask('GET', '/api/recordings/{id}/transcript', { ...one, expect: 404 })
    await ask('PUT', '/api/recordings/{id}/transcript', { ...one, ...writing({ segments: [] }), expect: 428 })
    await ask('POST', '/api/recordings/{id}/transcribe', { ...one, expect: 409 })
    await ask('POST', '/api/recordings/{id}/prepare', { ...one, expect: 200 })
    await ask('POST', '/api/recordings/{id}/retry', { ...one, expect: 200 })
    await ask('POST', '/api/recordings/retry', { ...admin, expect: 200, query: '?code=timeout' })
    const signed = await ask('POST', '/api/recordings/{id}/url', { ...one, expect: 200 })
    await ask('GET', '/api/recordings/{id}/stream', { params: one.params, expect: 200, query: signed.url.slice(signed.url.indexOf('?')) })
    await ask('GET', '/api/events', { expect: 200, headers: bearer('viewer') })
    await ask('GET', '/api/stats', { ...admin, expect: 200 })
    await ask('GET', '/api/stats', { expect: 403, headers: bearer('agent') })
    await ask('GET', '/api/session', { expect: 200, headers: bearer('viewer') })
    const session = await ask('POST', '/api/session', { expect: 204, headers: bearer('viewer') })
    const cookie = session.headers.get('set-cookie').split(';')[0]
    assert.equal(cookie.split('=')[0], api.components.securitySchemes.session.name)
    await ask('DELETE', '/api/session', { expect: 204, headers: { Cookie: cookie } })
    const link = (await callreel.run('signin', '--business', '1')).match(/token=([\w-]+)/)[1]
    const press = (token) => ({ body: new URLSearchParams({ token }) })
    await ask('GET', '/signin', { expect: 200, query: `?token=${link}` })
    await ask('POST', '/signin', { expect: 303, ...press(link) })
    await ask('POST', '/signin', { expect: 401, ...press(link) })
    await ask('GET', '/signin', { expect: 401, query: `?token=${link}` })
    const patch = (body) => ({ headers: { ...bearer('admin'), 'Content-Type': 'application/json' }, body: JSON.stringify(body) })
    await ask('GET', '/api/setup', { ...admin, expect: 200 })
    const key = await ask('POST', '/api/keys', { ...patch({ role: 'viewer', name: 'x' }), expect: 201 })
    await ask('GET', '/api/keys', { ...admin, expect: 200 })
    await ask('DELETE', '/api/keys/{key_id}', { ...admin, expect: 204, params: { key_id: key.key_id } })
    await ask('POST', '/api/signin-links', { ...patch({}), expect: 201 })
    await ask('POST', '/api/signin-links', { ...patch({ role: 'x' }), expect: 400 })
    await ask('GET', '/api/business', { ...admin, expect: 200 })
    await ask('PATCH', '/api/business', { ...patch({ name: 'Renamed' }), expect: 200 })
    const urls = await ask('GET', '/api/urls', { ...admin, expect: 200 })
    await ask('DELETE', '/api/urls/{url_id}', { ...admin, expect: 204, params: { url_id: urls.urls[0].url_id } })
    await ask('DELETE', '/api/urls', { ...admin, expect: 204 })
    const sessions = await ask('GET', '/api/sessions', { ...admin, expect: 200 })
    await ask('DELETE', '/api/sessions/{session_id}', { ...admin, expect: 204, params: { session_id: sessions.sessions[0].session_id } })
    await ask('DELETE', '/api/sessions', { ...admin, expect: 204 })
    await ask('GET', '/api/audit', { ...admin, expect: 200 })
    await ask('GET', '/api/audit', { ...admin, expect: 400, query: '?action=x' })
    const gone = await provider.make({ seconds: 1 })
    await tell('recording', gone)
    const ofGone = { params: { id: gone.recording_sid } }
    await ask('DELETE', '/api/recordings/{id}', { ...ofGone, headers: bearer('agent'), expect: 403 })
    for (const _ of [1, 2]) await ask('DELETE', '/api/recordings/{id}', { ...ofGone, ...admin, expect: 204 })
    const later = await provider.make({ seconds: 1 })
    await tell('recording', later)
    await tell('call', later)
    const ofLater = { params: { id: later.recording_sid, call_sid: later.call_sid } }
    const put = (body) => ({ ...ofLater, ...patch(body) })
    for (const where of ['/api/recordings/{id}', '/api/calls/{call_sid}']) {
      await ask('PUT', `${where}/hold`, { ...put({ reason: 'court' }), expect: 204 })
      await ask('PUT', `${where}/hold`, { ...put({ reason: '' }), expect: 400 })
      await ask('DELETE', where, { ...ofLater, ...admin, expect: 409 })
    }
    await ask('GET', '/api/calls/{call_sid}', { ...ofLater, ...admin, expect: 200 })
    await ask('GET', '/api/recordings/{id}/status', { ...ofLater, ...admin, expect: 200 })
    for (const where of ['/api/recordings/{id}', '/api/calls/{call_sid}']) await ask('DELETE', `${where}/hold`, { ...ofLater, ...admin, expect: 204 })
    const held = await ask('POST', '/api/holds', { ...patch({ number: '+15005550123', reason: 'court' }), expect: 201 })
    await ask('GET', '/api/holds', { ...admin, expect: 200 })
    await ask('POST', '/api/erasure', { ...patch({ number: '+15005550123' }), expect: 409 })
    await ask('DELETE', '/api/holds/{hold_id}', { ...admin, expect: 204, params: { hold_id: held.hold_id } })
    const begun = await ask('POST', '/api/erasure', { ...patch({ number: '+15005550123' }), expect: 202 })
    await ask('GET', '/api/erasure/{erasure_id}', { ...admin, expect: 200, params: { erasure_id: begun.erasure_id } })
    for (const _ of [1, 2]) await ask('DELETE', '/api/calls/{call_sid}', { ...ofLater, ...admin, expect: 204 })
    await ask('PUT', '/api/recordings/{id}/hold', { ...put({ reason: 'court' }), expect: 409 })
    await ask('GET', '/api/audit.csv', { ...admin, expect: 200 })
    await ask('GET', '/healthz', { expect: 200 })
    await ask('GET', '/readyz', { expect: 200 })
    await ask('GET', '/metrics', { expect: 200, headers: bearer('platform') })
    await ask('GET', '/metrics', { expect: 404 })
    for (const kind of ['call', 'recording']) {
      await ask('POST', `/webhooks/twilio/{business_id}/${kind}`, { params: { business_id: 1 }, expect: 401, body: new URLSearchParams({ a: 'b' }) })
    }
    await ask('GET', '/api/openapi.yaml', { expect: 200 })
    assert.deepEqual(sorted(asked), sorted(operations))
  })

  it('wants credentials where the description says so', async () => {
    const params = { id: ready.recording_sid, call_sid: ready.call_sid, url_id: '0'.repeat(16), key_id: 999999, session_id: '0'.repeat(16), note_id: 999999, hold_id: 999999, erasure_id: 999999 }
    const secured = operations.filter((o) => o.includes(' /api/') && !o.endsWith('.yaml')).map((o) => o.split(' '))
    for (const [method, where] of secured) await ask(method, where, { params, expect: 401 })
    const unknown = { ...params, id: `RE${'0'.repeat(32)}`, call_sid: `CA${'0'.repeat(32)}` }
    const bodies = { 'PATCH /api/calls/{call_sid}': {}, 'PATCH /api/recordings/{id}/notes/{note_id}': {}, 'POST /api/recordings/{id}/notes': { text: 'x' },
      'PUT /api/recordings/{id}/hold': { reason: 'x' }, 'PUT /api/calls/{call_sid}/hold': { reason: 'x' },
      'PUT /api/recordings/{id}/transcript': { segments: [] } }
    for (const [method, where] of secured.filter(([, where]) => where.includes('{'))) {
      const value = bodies[`${method} ${where}`]
      const sent = value && { body: JSON.stringify(value) }
      await ask(method, where, { params: unknown, expect: 404, headers: { ...bearer('admin'), 'If-Match': '"x"', ...(sent && { 'Content-Type': 'application/json' }) }, ...sent })
    }
  })

  it('serves that description', async () => {
    assert.equal(await (await fetch(`${base}/api/openapi.yaml`)).text(), text)
  })
})
