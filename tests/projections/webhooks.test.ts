import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { WebhookEvent } from '../../domain/webhook/messages.ts'
import { webhooks } from '../../projections/webhooks.ts'
import { noon } from '../support/examples.ts'
import { recorded, rowsAfter } from '../support/folding.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('webhooks, as they are read')

const about = { webhookId: 'whk_1', at: noon }
const filters = { types: ['dev.ccx.job.*'], subjects: [] }
const wanted = { organisationId: 'org_1', url: sealed('https://example.com'), description: null, filters, secretId: 'sec_1' }
const created: WebhookEvent = { type: 'WebhookCreated', data: { ...about, ...wanted } }
const paused: WebhookEvent = { type: 'WebhookPaused', data: { ...about, because: 'gone' } }
const row = {
  webhook_id: 'whk_1', organisation_id: 'org_1', url: sealed('https://example.com'), description: null,
  types: ['dev.ccx.job.*'], subjects: [], paused_because: null, paused_at: null, secret_id: 'sec_1',
  previous_secret_id: null, previous_secret_until: null,
  feed_from: '00000000000000000000/00000000000000000000/9999', course: '00000000000000000000/00000000000000000000',
  as_of: '00000000000000000000/00000000000000000000', created_at: noon, updated_at: noon,
}
const at = (position: number) => [position, position].map((part) => `${part}`.padStart(20, '0')).join('/')
const after = (...events: readonly WebhookEvent[]) => [...rowsAfter(webhooks, recorded(() => 'webhook-whk_1', events)).values()]

test('a webhook is sent what comes after its making', () => assert.equal(after(created), [row]))

test('a pause shows its reason, and leaves attempts as they are', () => {
  assert.equal(after(created, paused), [{ ...row, paused_because: 'gone', paused_at: noon, as_of: at(1) }])
})

test('resuming and changing give sending a fresh start', () => {
  const resumed: WebhookEvent = { type: 'WebhookResumed', data: about }
  assert.equal(after(created, paused, resumed), [{ ...row, course: at(2), as_of: at(2) }])
  const changed: WebhookEvent = { type: 'WebhookChanged', data: { ...about, description: sealed('mine') } }
  assert.equal(after(created, changed), [{ ...row, description: sealed('mine'), course: at(1), as_of: at(1) }])
})

test('a rotation names the secret before, and until when it holds', () => {
  const rotated: WebhookEvent = {
    type: 'WebhookSecretRotated',
    data: { ...about, secretId: 'sec_2', previousSecretId: 'sec_1', previousUntil: '2030-01-02T12:00:00.000Z' },
  }
  const [{ secret_id, previous_secret_id, previous_secret_until } = row] = after(created, rotated)
  assert.equal([secret_id, previous_secret_id, previous_secret_until], ['sec_2', 'sec_1', '2030-01-02T12:00:00.000Z'])
})

test('replays are no matter of the row', () => {
  const asked: readonly WebhookEvent[] = [
    { type: 'WebhookReplayAsked', data: { ...about, cursor: 'start' } },
    { type: 'DeadLetterReplayAsked', data: { ...about, eventId: 'evt_1' } },
  ]
  assert.equal(after(created, ...asked), [row])
})

test('a deleted webhook has no row', () => assert.equal(after(created, { type: 'WebhookDeleted', data: about }), []))

test.run()
