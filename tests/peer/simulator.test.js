// The provider's own client library works with the simulator as with the provider.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import twilio from 'twilio'
import { receive, simulate } from './simulator.js'

describe('the official client against the simulator', () => {
  let receiver, simulator, client

  before(async () => {
    receiver = await receive()
    simulator = await simulate('--webhooks', `${receiver.base}/webhooks/twilio/1`, '--api-key', 'SKpeer:secret')
    client = twilio(simulator.accountSid, simulator.token)
    client.api.baseUrl = simulator.base
  })
  after(async () => {
    await simulator?.stop()
    receiver?.close()
  })

  it('accepts the signature of every webhook', async () => {
    await simulator.make({ seconds: 3, legs: 2, from: '+15005550100', caller_name: 'Åsa & Bo=1' })
    for (const { url, headers, fields } of await receiver.count(10)) {
      const signature = headers['x-twilio-signature']
      assert.ok(twilio.validateRequest(simulator.token, signature, receiver.base + url, fields), url)
      assert.ok(!twilio.validateRequest('another token', signature, receiver.base + url, fields))
    }
  })

  it('lists recordings page by page, newest first', async () => {
    const made = []
    for (let n = 1; n <= 7; n++)
      made.unshift((await simulator.make({ seconds: 1, start_time: `2026-02-0${n}T10:00:00Z` })).recording_sid)
    const between = { dateCreatedAfter: new Date('2026-02-01T00:00:00Z'), dateCreatedBefore: new Date('2026-02-08T00:00:00Z') }
    const listed = await client.recordings.list({ ...between, pageSize: 2 })
    assert.deepEqual(listed.map((r) => r.sid), made)
    assert.deepEqual((await client.recordings.list({ ...between, limit: 3 })).map((r) => r.sid), made.slice(0, 3))
    assert.equal(listed[0].duration, '1')
    assert.equal(listed[0].status, 'completed')
    assert.equal(listed[0].startTime.toISOString(), '2026-02-07T10:00:00.000Z')
  })

  it('lists calls with their legs', async () => {
    const made = await simulator.make({ legs: 2, direction: 'outbound', to: '+15005550142' })
    const [child] = await client.calls.list({ parentCallSid: made.call_sid })
    assert.equal(child.sid, made.child_call_sid)
    assert.equal(child.direction, 'outbound-dial')
    const parent = await client.calls(made.call_sid).fetch()
    assert.equal(parent.to, '+15005550142')
    assert.equal(parent.status, 'completed')
    const [recording] = await client.calls(made.call_sid).recordings.list()
    assert.equal(recording.sid, made.recording_sid)
  })

  it('fetches a recording and finds its media where it says', async () => {
    const made = await simulator.make({ seconds: 2, channels: 2 })
    const recording = await client.recordings(made.recording_sid).fetch()
    assert.equal(recording.channels, 2)
    assert.equal(recording.callSid, made.call_sid)
    const Authorization = `Basic ${Buffer.from(`${simulator.accountSid}:${simulator.token}`).toString('base64')}`
    const media = await fetch(`${recording.mediaUrl}.mp3`, { headers: { Authorization } })
    assert.equal((await media.arrayBuffer()).byteLength, made.sizes.mp3)
  })

  it('deletes a recording', async () => {
    const { recording_sid } = await simulator.make()
    assert.equal(await client.recordings(recording_sid).remove(), true)
    await assert.rejects(client.recordings(recording_sid).fetch(), { status: 404, code: 20404 })
    const kept = await client.recordings(recording_sid).fetch({ includeSoftDeleted: true })
    assert.equal(kept.status, 'deleted')
  })

  it('is refused with wrong credentials, and taken with an API key', async () => {
    const { recording_sid } = await simulator.make()
    const wrong = twilio(simulator.accountSid, 'wrong')
    wrong.api.baseUrl = simulator.base
    await assert.rejects(wrong.recordings(recording_sid).fetch(), { status: 401, code: 20003 })
    const keyed = twilio('SKpeer', 'secret', { accountSid: simulator.accountSid })
    keyed.api.baseUrl = simulator.base
    assert.equal((await keyed.recordings(recording_sid).fetch()).sid, recording_sid)
  })

  it('fetches the account', async () => {
    assert.equal((await client.api.v2010.accounts(simulator.accountSid).fetch()).status, 'active')
  })
})
