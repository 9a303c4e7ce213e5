import { suite } from 'uvu'
import type { WebhookCreated, WebhookEvent, WebhookFilters } from '../../domain/webhook/messages.ts'
import { webhook } from '../../domain/webhook/webhook.ts'
import { noon } from '../support/examples.ts'
import { given } from '../support/given.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('a webhook')

const webhookId = 'whk_1'
const about = { webhookId, at: noon }
const asked = { webhookId, now: noon }
const everything: WebhookFilters = { types: [], subjects: [] }
const url = sealed('https://example.com/hook')
const wanted = { organisationId: 'org_1', url, description: null, filters: everything, secretId: 'sec_1' }

const created: WebhookCreated = { type: 'WebhookCreated', data: { ...about, ...wanted } }
const paused: WebhookEvent = { type: 'WebhookPaused', data: { ...about, because: 'failing' } }
const resumed: WebhookEvent = { type: 'WebhookResumed', data: about }
const deleted: WebhookEvent = { type: 'WebhookDeleted', data: about }

test('is created once', () => {
  given(webhook).when({ type: 'CreateWebhook', data: { ...asked, ...wanted } }).then(created)
  given(webhook, created).when({ type: 'CreateWebhook', data: { ...asked, ...wanted } }).thenNothing()
})

test('takes types, prefixes of types and subjects as filters', () => {
  const filters = { types: ['dev.ccx.job.finished.v1', 'dev.ccx.datastore.*'], subjects: ['datastores/clu_1'] }
  given(webhook)
    .when({ type: 'CreateWebhook', data: { ...asked, ...wanted, filters } })
    .then({ type: 'WebhookCreated', data: { ...created.data, filters } })
})

test('refuses filters that could never fit, and too many of them', () => {
  const many = Array.from({ length: 21 }, (_, n) => `dev.ccx.type-${n}`)
  const wrong: readonly WebhookFilters[] = [
    { types: ['*'], subjects: [] },
    { types: ['dev*ccx'], subjects: [] },
    { types: ['dev.ccx.**'], subjects: [] },
    { types: ['a'.repeat(256)], subjects: [] },
    { types: [''], subjects: [] },
    { types: many, subjects: [] },
    { types: [], subjects: many },
    { types: [], subjects: ['with a space'] },
    { types: [], subjects: [''] },
  ]
  for (const filters of wrong) {
    given(webhook).when({ type: 'CreateWebhook', data: { ...asked, ...wanted, filters } }).thenRejected('malformed-filter')
    given(webhook, created).when({ type: 'ChangeWebhook', data: { ...asked, ...filters } }).thenRejected('malformed-filter')
  }
})

test('changes only in what it is told', () => {
  const types = ['dev.ccx.job.*']
  const subjects = ['jobs/job_1']
  const changed: WebhookEvent = { type: 'WebhookChanged', data: { ...about, filters: { types, subjects: [] } } }
  given(webhook, created).when({ type: 'ChangeWebhook', data: { ...asked, types } }).then(changed)
  given(webhook, created, changed)
    .when({ type: 'ChangeWebhook', data: { ...asked, subjects } })
    .then({ type: 'WebhookChanged', data: { ...about, filters: { types, subjects } } })
  given(webhook, created)
    .when({ type: 'ChangeWebhook', data: { ...asked, url, description: null } })
    .then({ type: 'WebhookChanged', data: { ...about, url, description: null } })
})

test('that is told what it has already does not change', () => {
  given(webhook, created).when({ type: 'ChangeWebhook', data: { ...asked, ...everything } }).thenNothing()
  given(webhook, created).when({ type: 'ChangeWebhook', data: asked }).thenNothing()
})

test('is paused for the first reason given, and resumed', () => {
  given(webhook, created).when({ type: 'PauseWebhook', data: { ...asked, because: 'failing' } }).then(paused)
  given(webhook, created, paused).when({ type: 'PauseWebhook', data: { ...asked, because: 'asked' } }).thenNothing()
  given(webhook, created, paused).when({ type: 'ResumeWebhook', data: asked }).then(resumed)
  given(webhook, created).when({ type: 'ResumeWebhook', data: asked }).thenNothing()
})

test('whose secret is rotated signs with the one before for a day more', () => {
  const rotated: WebhookEvent = {
    type: 'WebhookSecretRotated',
    data: { ...about, secretId: 'sec_2', previousSecretId: 'sec_1', previousUntil: '2030-01-02T12:00:00.000Z' },
  }
  const rotate = { type: 'RotateWebhookSecret', data: { ...asked, secretId: 'sec_2' } } as const
  given(webhook, created).when(rotate).then(rotated)
  given(webhook, created, rotated).when(rotate).thenNothing()
})

test('remembers what was asked to be sent again', () => {
  given(webhook, created)
    .when({ type: 'ReplayWebhook', data: { ...asked, cursor: '7/7' } })
    .then({ type: 'WebhookReplayAsked', data: { ...about, cursor: '7/7' } })
  given(webhook, created)
    .when({ type: 'ReplayDeadLetter', data: { ...asked, eventId: 'evt_1' } })
    .then({ type: 'DeadLetterReplayAsked', data: { ...about, eventId: 'evt_1' } })
})

test('that is deleted is gone for everything but a repeated deletion', () => {
  given(webhook, created).when({ type: 'DeleteWebhook', data: asked }).then(deleted)
  given(webhook, created, deleted).when({ type: 'DeleteWebhook', data: asked }).thenNothing()
  given(webhook, created, deleted).when({ type: 'ResumeWebhook', data: asked }).thenRejected('webhook-not-found')
  given(webhook, created, deleted).when({ type: 'CreateWebhook', data: { ...asked, ...wanted } }).thenNothing()
})

test('that never was cannot be changed', () => {
  given(webhook).when({ type: 'DeleteWebhook', data: asked }).thenRejected('webhook-not-found')
  given(webhook).when({ type: 'PauseWebhook', data: { ...asked, because: 'asked' } }).thenRejected('webhook-not-found')
})

test.run()
