// callreel accepts webhooks that the provider's own client library signs, and no others.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import twilio from 'twilio'
import { serve } from './callreel.js'

const { getExpectedTwilioSignature } = twilio
const sid = (kind) => kind + randomBytes(16).toString('hex')

describe('webhooks that the official client signed', () => {
  const accountSid = sid('AC')
  const tokens = ['first-token', 'second-token']
  const publicBase = 'https://calls.example.test'
  let callreel

  before(async () => {
    callreel = await serve({
      TWILIO_ACCOUNT_SID: accountSid, TWILIO_AUTH_TOKEN: tokens.join(','), TWILIO_BASE_URL: 'http://127.0.0.1:9',
      PUBLIC_BASE_URL: publicBase,
    })
  })
  after(() => callreel?.stop())

  // What the provider believes it asks for, and what arrives here.
  const post = async (kind, fields, { token = tokens[0], signedBase = publicBase, query = '' } = {}) => {
    const target = `/webhooks/twilio/1/${kind}${query}`
    const answer = await fetch(callreel.base + target, {
      method: 'POST',
      headers: { 'X-Twilio-Signature': getExpectedTwilioSignature(token, signedBase + target, fields) },
      body: new URLSearchParams(fields),
    })
    return answer.status
  }
  const call = (more) => ({ AccountSid: accountSid, CallSid: sid('CA'), CallStatus: 'completed', Direction: 'inbound', From: '+15005550100', To: '+15005550199', ...more })
  const recording = (more) => {
    const recordingSid = sid('RE')
    return { AccountSid: accountSid, CallSid: sid('CA'), RecordingSid: recordingSid, RecordingStatus: 'completed', RecordingDuration: '3',
      RecordingUrl: `http://127.0.0.1:9/2010-04-01/Accounts/${accountSid}/Recordings/${recordingSid}`, ...more }
  }

  const taken = [
    ['a call', 'call', call(), {}],
    ['a recording', 'recording', recording(), {}],
    ['the second token', 'call', call(), { token: tokens[1] }],
    ['the default port said', 'call', call(), { signedBase: `${publicBase}:443` }],
    ['a query', 'call', call(), { query: '?shop=a%20b&x=1' }],
    ['fields of all kinds', 'call', call({ CallerName: 'Åsa & Bo = 100 %', Empty: '', ẞ: 'ß', Zz: '1', aA: '2' }), {}],
  ]
  for (const [what, kind, fields, how] of taken)
    it(`are taken: ${what}`, async () => assert.equal(await post(kind, fields, how), 204))

  const refused = [
    ['another token', call(), { token: 'third-token' }],
    ['another host', call(), { signedBase: 'https://other.example.test' }],
    ['another scheme', call(), { signedBase: 'http://calls.example.test' }],
    ['another port', call(), { signedBase: `${publicBase}:8443` }],
    ['another account', call({ AccountSid: sid('AC') }), {}],
  ]
  for (const [what, fields, how] of refused)
    it(`are refused: ${what}`, async () => assert.equal(await post('call', fields, how), 403))
})
