import { z } from 'zod'
import { id, instant } from './fields.ts'
import { organisationContract } from './organisation-contract.ts'

/** What a type of public event promises: its data, what it is about, and when it is sent. */
type Promised = { readonly summary: string; readonly subject: `${string}/{${string}}`; readonly data: z.ZodType }

const datastoreId = id.describe('The datastore.')
const jobId = id.describe('The job.')
const nodeId = id.describe('The node.')
const address = z.string().describe('An IP address.')
const role = z.enum(['primary', 'replica'])
const kind = z.string().describe('What the job does, such as `deploy-datastore`. New kinds may come.')
const step = z.string().describe("The step's name.")

const ofDatastore = z.object({ datastoreId })
const ofNode = z.object({ nodeId, datastoreId })
const ofJob = z.object({ jobId, datastoreId })
const ofSources = ofDatastore.extend({ ruleIds: z.array(id).describe('The rules, one for each source.') })
const ofKind = ofJob.extend({ kind })
const ofStep = ofJob.extend({ step })
const ofAccount = z.object({ accountId: id })
const ofClient = z.object({ accountId: id.describe('The account that it acts for.'), clientId: id })

const ofParameterGroup = z.object({ groupId: id.describe('The parameter group.') })
const parameterNames = z.array(z.string()).describe('The names of the parameters that it sets.')

const ofWebhook = z.object({ webhookId: id })

const node = z.object({ nodeId, role, privateAddress: address, publicAddress: address })

const DATASTORE = 'datastores/{datastoreId}'
const JOB = 'jobs/{jobId}'
const NODE = 'nodes/{nodeId}'
const ACCOUNT = 'accounts/{accountId}'
const CLIENT = 'clients/{clientId}'
const PARAMETER_GROUP = 'parameter-groups/{groupId}'
const WEBHOOK = 'webhooks/{webhookId}'

/**
 * The versioned contract with integrators. What stands here under a name stands there for ever: its data may gain members
 * and nothing else. Another meaning is another name (`.v2`), beside the old one.
 *
 * Data holds ids and facts, never a text that somebody wrote: nothing in it is personal or sealed, so a copy of it stays
 * lawful and whole when an organisation is erased.
 */
export const contract = {
  'dev.ccx.datastore.created.v1': {
    summary: 'A datastore was asked for; a job that deploys it is queued.',
    subject: DATASTORE,
    data: ofDatastore.extend({
      vendor: z.string(),
      version: z.string(),
      type: z.string().describe('How its nodes work together.'),
      cloud: z.string(),
      region: z.string(),
      instanceSize: z.string(),
      volumeType: z.string(),
      volumeSizeGib: z.int(),
      nodes: z.array(z.object({ nodeId, zone: z.string() })),
    }),
  },
  'dev.ccx.datastore.deployed.v1': {
    summary: 'The datastore is up, and can be connected to.',
    subject: DATASTORE,
    data: ofDatastore.extend({ nodes: z.array(node) }),
  },
  'dev.ccx.datastore.deployment-failed.v1': {
    summary: 'The datastore did not come up; what had been made of it is gone.',
    subject: DATASTORE,
    data: ofDatastore,
  },
  'dev.ccx.datastore.deployment-retried.v1': {
    summary: 'A deployment that had failed was begun again, on nodes that are none of those before.',
    subject: DATASTORE,
    data: ofDatastore.extend({ nodes: z.array(z.object({ nodeId, zone: z.string() })) }),
  },
  'dev.ccx.datastore.deletion-started.v1': { summary: 'The datastore is being deleted.', subject: DATASTORE, data: ofDatastore },
  'dev.ccx.datastore.deletion-abandoned.v1': {
    summary: 'The datastore was not deleted after all.',
    subject: DATASTORE,
    data: ofDatastore,
  },
  'dev.ccx.datastore.deleted.v1': { summary: 'The datastore and all it had is gone.', subject: DATASTORE, data: ofDatastore },

  'dev.ccx.datastore.settings-changed.v1': {
    summary: 'Its name, tags, notifications or maintenance window were changed.',
    subject: DATASTORE,
    data: ofDatastore,
  },
  'dev.ccx.datastore.changed.v1': {
    summary: 'A change was carried out by a job; these are the nodes there are now.',
    subject: DATASTORE,
    data: ofDatastore.extend({ change: z.string().describe('What kind of change, as the job is called.'), nodes: z.array(node) }),
  },
  'dev.ccx.datastore.change-abandoned.v1': {
    summary: 'A change came to nothing; the datastore is as it was.',
    subject: DATASTORE,
    data: ofDatastore.extend({ change: z.string().describe('What kind of change, as the job is called.') }),
  },
  'dev.ccx.datastore.primary-changed.v1': {
    summary: 'The primary was lost, and another node has taken its place.',
    subject: DATASTORE,
    data: ofDatastore.extend({
      jobId,
      epoch: z.int().describe('Counted up with each job; of two primaries, the one of the greater epoch counts.'),
      formerNodeId: id.describe('The node that was the primary.'),
      primaryNodeId: id.describe('The node that is the primary.'),
      fencedBy: z
        .string()
        .exactOptional()
        .describe('What keeps the former primary from taking writes; `nothing`: it may have. Absent: unknown. New words come.'),
      lastSeenAt: instant.describe('When the former primary was last seen to take writes.'),
      writesBackAt: instant.describe('When the new one was reached under the name of the primary.'),
      writesOutMsMax: z.int().describe('For how long no writes were taken, at most.'),
      lostBytesMax: z.int().nullable().describe('How much of what was written last is lost, at most; null: not known.'),
    }),
  },
  'dev.ccx.datastore.failover-held-back.v1': {
    summary: 'The primary is lost, and no other node takes its place for now: that was tried too often of late.',
    subject: DATASTORE,
    data: ofDatastore.extend({
      primaryNodeId: id.describe('The node that is lost.'),
      lastSeenAt: instant.describe('When it was last seen to take writes.'),
      until: instant.describe('Until then none takes its place by itself.'),
    }),
  },
  'dev.ccx.datastore.primary-recovered.v1': {
    summary: 'The primary was lost, nobody has taken its place, and it does its part again.',
    subject: DATASTORE,
    data: ofDatastore.extend({
      primaryNodeId: id.describe('The node that was lost.'),
      lastSeenAt: instant.describe('When it was last seen to take writes.'),
      backAt: instant.describe('When it was known to take them again.'),
    }),
  },
  'dev.ccx.datastore.sources-trusted.v1': {
    summary: 'Clients may connect from more sources; a job carries it out.',
    subject: DATASTORE,
    data: ofSources,
  },
  'dev.ccx.datastore.sources-revoked.v1': {
    summary: 'Clients may connect no more from some sources; a job carries it out.',
    subject: DATASTORE,
    data: ofSources,
  },

  'dev.ccx.job.queued.v1': { summary: 'A job waits for its turn.', subject: JOB, data: ofKind },
  'dev.ccx.job.started.v1': {
    summary: 'A job has begun.',
    subject: JOB,
    data: ofKind.extend({ steps: z.array(step).describe('The names of its steps, in their order.') }),
  },
  'dev.ccx.job.progressed.v1': {
    summary: 'A part of a step is done.',
    subject: JOB,
    data: ofStep.extend({ progressPercent: z.number() }),
  },
  'dev.ccx.job.attention-needed.v1': {
    summary: 'Repetition has not helped for long; it goes on, and an operator was asked to look.',
    subject: JOB,
    data: ofStep,
  },
  'dev.ccx.job.cancellation-asked.v1': { summary: 'The job is to be cancelled.', subject: JOB, data: ofJob },
  'dev.ccx.job.unwinding.v1': {
    summary: 'A step has come to nothing, or the job was cancelled in it; what was done is being undone.',
    subject: JOB,
    data: ofStep,
  },
  'dev.ccx.job.finished.v1': { summary: 'The job has done all it had to do.', subject: JOB, data: ofKind },
  'dev.ccx.job.failed.v1': { summary: 'The job has failed, and what it had done is undone.', subject: JOB, data: ofKind },
  'dev.ccx.job.cancelled.v1': { summary: 'The job was cancelled, and what it had done is undone.', subject: JOB, data: ofKind },
  'dev.ccx.job.dropped.v1': { summary: 'The job never began: something made it pointless.', subject: JOB, data: ofKind },

  'dev.ccx.node.address-assigned.v1': {
    summary: 'A node has got an address.',
    subject: NODE,
    data: z.object({ nodeId, datastoreId, privateAddress: address.exactOptional(), publicAddress: address.exactOptional() }),
  },
  'dev.ccx.node.role-assigned.v1': {
    summary: 'What a node is in its datastore has become known.',
    subject: NODE,
    data: z.object({ nodeId, datastoreId, role }),
  },
  'dev.ccx.node.lost.v1': {
    summary: 'A node does not do its part.',
    subject: NODE,
    data: ofNode.extend({ since: instant.describe('When it was last seen to do it.') }),
  },
  'dev.ccx.node.recovered.v1': {
    summary: 'A node that was lost does its part again.',
    subject: NODE,
    data: ofNode.extend({ downMs: z.int().describe('How long it did not.') }),
  },
  'dev.ccx.node.server-restarted.v1': {
    summary: "A node's server had died, and was started again where it was.",
    subject: NODE,
    data: ofNode.extend({ role, downSince: instant, backAt: instant }),
  },

  'dev.ccx.account.client-created.v1': {
    summary: 'OAuth2 client credentials were made.',
    subject: CLIENT,
    data: ofClient.extend({ expiresAt: instant.nullable() }),
  },
  'dev.ccx.account.client-rotated.v1': {
    summary: 'OAuth2 client credentials got a new secret.',
    subject: CLIENT,
    data: ofClient.extend({ previousUntil: instant.describe('Until then the previous secret holds as well.') }),
  },
  'dev.ccx.account.client-revoked.v1': { summary: 'OAuth2 client credentials hold no more.', subject: CLIENT, data: ofClient },
  'dev.ccx.parameter-group.created.v1': {
    summary: 'A parameter group was made.',
    subject: PARAMETER_GROUP,
    data: ofParameterGroup.extend({ vendor: z.string(), version: z.string(), type: z.string(), parameters: parameterNames }),
  },
  'dev.ccx.parameter-group.changed.v1': {
    summary: 'Its name, description or values were changed.',
    subject: PARAMETER_GROUP,
    data: ofParameterGroup.extend({ parameters: parameterNames.exactOptional() }),
  },
  'dev.ccx.parameter-group.deleted.v1': { summary: 'It was deleted.', subject: PARAMETER_GROUP, data: ofParameterGroup },
  'dev.ccx.webhook.created.v1': { summary: 'A webhook was made.', subject: WEBHOOK, data: ofWebhook },
  'dev.ccx.webhook.changed.v1': {
    summary: 'Where a webhook leads, or what it lets through, is another.',
    subject: WEBHOOK,
    data: ofWebhook,
  },
  'dev.ccx.webhook.paused.v1': {
    summary: 'Nothing is sent to the webhook until it is resumed.',
    subject: WEBHOOK,
    data: ofWebhook.extend({ reason: z.string().describe('`asked`, `failing` or `gone`. New reasons may come.') }),
  },
  'dev.ccx.webhook.resumed.v1': { summary: 'Events are sent to the webhook again.', subject: WEBHOOK, data: ofWebhook },
  'dev.ccx.webhook.secret-rotated.v1': {
    summary: 'Another secret signs what is sent to the webhook.',
    subject: WEBHOOK,
    data: ofWebhook.extend({ previousUntil: instant.describe('Until then the previous secret signs as well.') }),
  },
  'dev.ccx.webhook.deleted.v1': { summary: 'The webhook is gone.', subject: WEBHOOK, data: ofWebhook },

  'dev.ccx.account.password-changed.v1': {
    summary: 'The password of the account is another.',
    subject: ACCOUNT,
    data: ofAccount,
  },
  'dev.ccx.account.event-stream-opened.v1': {
    summary: 'Credentials for the stream of these events were made; those before them hold no more.',
    subject: ACCOUNT,
    data: ofAccount,
  },
  'dev.ccx.account.event-stream-closed.v1': {
    summary: 'The credentials for the stream of these events hold no more.',
    subject: ACCOUNT,
    data: ofAccount,
  },
  'dev.ccx.account.suspended.v1': {
    summary: 'The account cannot be used until it is let in again; what it has goes on.',
    subject: ACCOUNT,
    data: ofAccount,
  },
  'dev.ccx.account.unsuspended.v1': { summary: 'The account is let in again.', subject: ACCOUNT, data: ofAccount },
  'dev.ccx.account.deleted.v1': { summary: 'Nobody can sign in to the account any more.', subject: ACCOUNT, data: ofAccount },

  ...organisationContract,

  'dev.ccx.account.erased.v1': {
    summary: 'The account is closed for ever, and what was personal in it can be read by nobody any more.',
    subject: ACCOUNT,
    data: ofAccount,
  },
} as const satisfies Readonly<Record<string, Promised>>

export type PublicType = keyof typeof contract

/** An event as integrators get it, before it has a place in the feed. */
export type PublicEvent = {
  readonly [T in PublicType]: { readonly type: T; readonly subject: string; readonly data: z.infer<(typeof contract)[T]['data']> }
}[PublicType]
