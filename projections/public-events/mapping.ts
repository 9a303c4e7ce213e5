import type { JobEnd } from '../../domain/datastore/messages.ts'
import { isNodeKey } from '../../domain/job/saga.ts'
import type { NodeState } from '../../domain/datastore/spec.ts'
import type { KnownEvent } from '../known-event.ts'
import type { PublicEvent, PublicType } from './contract.ts'
import { failoverMapping } from './failover-mapping.ts'
import { organisationMapping } from './organisation-mapping.ts'

type Internal = { readonly [T in KnownEvent['type']]: Extract<KnownEvent, { readonly type: T }> }
type Mapping = { readonly [T in KnownEvent['type']]: (event: Internal[T]) => readonly PublicEvent[] }
type Of<T extends PublicType> = Extract<PublicEvent, { readonly type: T }>

/** Declared private: nothing of it is for integrators. */
const nothing = (): readonly PublicEvent[] => []

const END = {
  finished: 'dev.ccx.job.finished.v1',
  failed: 'dev.ccx.job.failed.v1',
  cancelled: 'dev.ccx.job.cancelled.v1',
} as const satisfies Readonly<Record<JobEnd, PublicType>>

const aboutDatastore = (
  type: Exclude<
    Extract<PublicType, `dev.ccx.datastore.${string}`>,
    | `${string}.${'created' | 'deployed' | 'deployment-retried' | 'changed' | 'change-abandoned'}.v1`
    | `${string}.sources-${'trusted' | 'revoked'}.v1`
    | `${string}.${'primary-changed' | 'primary-recovered' | 'failover-held-back'}.v1`
  >,
  { datastoreId }: { readonly datastoreId: string },
): readonly PublicEvent[] => [{ type, subject: `datastores/${datastoreId}`, data: { datastoreId } }]

const aboutSources = (
  type: 'dev.ccx.datastore.sources-trusted.v1' | 'dev.ccx.datastore.sources-revoked.v1',
  datastoreId: string,
  ruleIds: readonly string[],
): readonly PublicEvent[] => [{ type, subject: `datastores/${datastoreId}`, data: { datastoreId, ruleIds: [...ruleIds] } }]

const ofKind = (
  type: (typeof END)[JobEnd] | 'dev.ccx.job.queued.v1' | 'dev.ccx.job.dropped.v1',
  { jobId, datastoreId, kind }: { readonly jobId: string; readonly datastoreId: string; readonly kind: string },
): readonly PublicEvent[] => [{ type, subject: `jobs/${jobId}`, data: { jobId, datastoreId, kind } }]

const ofStep = (
  type: 'dev.ccx.job.attention-needed.v1' | 'dev.ccx.job.unwinding.v1',
  { jobId, datastoreId, step }: { readonly jobId: string; readonly datastoreId: string; readonly step: string },
): readonly PublicEvent[] => [{ type, subject: `jobs/${jobId}`, data: { jobId, datastoreId, step } }]

const aboutWebhook = (
  type: `dev.ccx.webhook.${'created' | 'changed' | 'resumed' | 'deleted'}.v1`,
  { webhookId }: { readonly webhookId: string },
): readonly PublicEvent[] => [{ type, subject: `webhooks/${webhookId}`, data: { webhookId } }]

const aboutAccount = (
  type: `dev.ccx.account.${'suspended' | 'unsuspended' | 'deleted'}.v1`,
  { accountId }: { readonly accountId: string },
): readonly PublicEvent[] => [{ type, subject: `accounts/${accountId}`, data: { accountId } }]

const created = ({ data: { datastoreId, spec } }: Internal['DatastoreCreated']): Of<'dev.ccx.datastore.created.v1'> => ({
  type: 'dev.ccx.datastore.created.v1',
  subject: `datastores/${datastoreId}`,
  data: {
    datastoreId,
    vendor: spec.vendor,
    version: spec.version,
    type: spec.type,
    cloud: spec.cloud,
    region: spec.region,
    instanceSize: spec.instance.code,
    volumeType: spec.volume.type,
    volumeSizeGib: spec.volume.sizeGib,
    nodes: spec.nodes.map(({ nodeId, zone }) => ({ nodeId, zone })),
  },
})

const told = ({ nodeId, role, privateAddress, publicAddress }: NodeState) => ({ nodeId, role, privateAddress, publicAddress })

const deployed = ({ data: { datastoreId, nodes } }: Internal['DatastoreDeployed']): Of<'dev.ccx.datastore.deployed.v1'> => ({
  type: 'dev.ccx.datastore.deployed.v1',
  subject: `datastores/${datastoreId}`,
  data: {
    datastoreId,
    nodes: nodes.map(told),
  },
})

/** What a step has found out about nodes, and how far the job has come with it. What an undo does is no news. */
const succeeded = ({ data }: Internal['StepSucceeded']): readonly PublicEvent[] => {
  const { jobId, datastoreId, key, course, step, progressPercent, result } = data
  if (course === 'back') return []
  const { privateAddress, publicAddress, roles = {} } = result
  const addresses = {
    ...(privateAddress === undefined ? {} : { privateAddress }),
    ...(publicAddress === undefined ? {} : { publicAddress }),
  }
  const addressed: readonly PublicEvent[] =
    isNodeKey(key) && Object.keys(addresses).length > 0
      ? [{ type: 'dev.ccx.node.address-assigned.v1', subject: `nodes/${key}`, data: { nodeId: key, datastoreId, ...addresses } }]
      : []
  return [
    ...addressed,
    ...Object.entries(roles).map(([nodeId, role]): PublicEvent => ({
      type: 'dev.ccx.node.role-assigned.v1',
      subject: `nodes/${nodeId}`,
      data: { nodeId, datastoreId, role },
    })),
    { type: 'dev.ccx.job.progressed.v1', subject: `jobs/${jobId}`, data: { jobId, datastoreId, step, progressPercent } },
  ]
}

// An internal event that is new does not compile until it is told of here, or declared to be `nothing`.
const mapping: Mapping = {
  DatastoreCreated: (event) => [created(event)],
  DatastoreDeployed: (event) => [deployed(event)],
  DeploymentFailed: ({ data }) => aboutDatastore('dev.ccx.datastore.deployment-failed.v1', data),
  DeploymentRetried: ({ data: { datastoreId, spec } }) => [
    {
      type: 'dev.ccx.datastore.deployment-retried.v1',
      subject: `datastores/${datastoreId}`,
      data: { datastoreId, nodes: spec.nodes.map(({ nodeId, zone }) => ({ nodeId, zone })) },
    },
  ],
  DeletionStarted: ({ data }) => aboutDatastore('dev.ccx.datastore.deletion-started.v1', data),
  DeletionAbandoned: ({ data }) => aboutDatastore('dev.ccx.datastore.deletion-abandoned.v1', data),
  DatastoreDeleted: ({ data }) => aboutDatastore('dev.ccx.datastore.deleted.v1', data),

  SettingsChanged: ({ data }) => aboutDatastore('dev.ccx.datastore.settings-changed.v1', data),
  DatastoreChanged: ({ data: { datastoreId, change, nodes } }) => [
    {
      type: 'dev.ccx.datastore.changed.v1',
      subject: `datastores/${datastoreId}`,
      data: { datastoreId, change: change.kind, nodes: nodes.map(told) },
    },
  ],
  ChangeAbandoned: ({ data: { datastoreId, change } }) => [
    {
      type: 'dev.ccx.datastore.change-abandoned.v1',
      subject: `datastores/${datastoreId}`,
      data: { datastoreId, change: change.kind },
    },
  ],

  SourcesTrusted: ({ data: { datastoreId, sources } }) =>
    aboutSources('dev.ccx.datastore.sources-trusted.v1', datastoreId, sources.map(({ ruleId }) => ruleId)),
  SourcesRevoked: ({ data: { datastoreId, ruleIds } }) =>
    aboutSources('dev.ccx.datastore.sources-revoked.v1', datastoreId, ruleIds),

  JobQueued: ({ data }) => ofKind('dev.ccx.job.queued.v1', data),
  JobAdmitted: nothing,
  JobCancellationAsked: ({ data: { jobId, datastoreId } }) => [
    { type: 'dev.ccx.job.cancellation-asked.v1', subject: `jobs/${jobId}`, data: { jobId, datastoreId } },
  ],
  // Told of by JobEnded.
  JobAbandonmentAsked: nothing,
  JobDropped: ({ data }) => ofKind('dev.ccx.job.dropped.v1', data),
  JobEnded: ({ data }) => ofKind(END[data.end], data),
  ...failoverMapping,
  JobStarted: ({ data: { jobId, datastoreId, kind, steps } }) => [
    {
      type: 'dev.ccx.job.started.v1',
      subject: `jobs/${jobId}`,
      data: { jobId, datastoreId, kind, steps: steps.map(({ name }) => name) },
    },
  ],
  StepOrdered: nothing,
  StepNoted: nothing,
  StepSucceeded: succeeded,
  StepFailed: nothing,
  AttentionNeeded: ({ data }) => ofStep('dev.ccx.job.attention-needed.v1', data),
  JobCancelled: nothing,
  UnwindingBegun: ({ data }) => ofStep('dev.ccx.job.unwinding.v1', data),
  // Told of by JobEnded, which comes with what the job has changed of its datastore.
  JobFinished: nothing,
  JobUnwound: nothing,
  JobAbandoned: nothing,

  // The operators' own affair.
  AdmissionStopped: nothing,
  AdmissionOpened: nothing,

  // All that it says is personal.
  AccountRegistered: nothing,
  LoginConfirmed: nothing,
  PasswordChanged: ({ data: { accountId } }) => [
    { type: 'dev.ccx.account.password-changed.v1', subject: `accounts/${accountId}`, data: { accountId } },
  ],
  ClientCreated: ({ data: { accountId, clientId, expiresAt } }) => [
    { type: 'dev.ccx.account.client-created.v1', subject: `clients/${clientId}`, data: { accountId, clientId, expiresAt } },
  ],
  ClientRotated: ({ data: { accountId, clientId, previousUntil } }) => [
    { type: 'dev.ccx.account.client-rotated.v1', subject: `clients/${clientId}`, data: { accountId, clientId, previousUntil } },
  ],
  ClientRevoked: ({ data: { accountId, clientId } }) => [
    { type: 'dev.ccx.account.client-revoked.v1', subject: `clients/${clientId}`, data: { accountId, clientId } },
  ],
  EventStreamOpened: ({ data: { accountId } }) => [
    { type: 'dev.ccx.account.event-stream-opened.v1', subject: `accounts/${accountId}`, data: { accountId } },
  ],
  EventStreamClosed: ({ data: { accountId } }) => [
    { type: 'dev.ccx.account.event-stream-closed.v1', subject: `accounts/${accountId}`, data: { accountId } },
  ],
  OrganisationErased: ({ data: { accountId } }) => [
    { type: 'dev.ccx.account.erased.v1', subject: `accounts/${accountId}`, data: { accountId } },
  ],
  AccountSuspended: ({ data }) => aboutAccount('dev.ccx.account.suspended.v1', data),
  AccountUnsuspended: ({ data }) => aboutAccount('dev.ccx.account.unsuspended.v1', data),
  AccountDeleted: ({ data }) => aboutAccount('dev.ccx.account.deleted.v1', data),

  ...organisationMapping,

  ParameterGroupCreated: ({ data: { groupId, vendor, version, type, values } }) => [
    {
      type: 'dev.ccx.parameter-group.created.v1',
      subject: `parameter-groups/${groupId}`,
      data: { groupId, vendor, version, type, parameters: Object.keys(values) },
    },
  ],
  ParameterGroupChanged: ({ data: { groupId, values } }) => [
    {
      type: 'dev.ccx.parameter-group.changed.v1',
      subject: `parameter-groups/${groupId}`,
      data: { groupId, ...(values === undefined ? {} : { parameters: Object.keys(values) }) },
    },
  ],
  // Told of by the job that gives it its values.
  ParameterGroupChosen: nothing,
  ParameterGroupDeleted: ({ data: { groupId } }) => [
    { type: 'dev.ccx.parameter-group.deleted.v1', subject: `parameter-groups/${groupId}`, data: { groupId } },
  ],

  WebhookCreated: ({ data }) => aboutWebhook('dev.ccx.webhook.created.v1', data),
  WebhookChanged: ({ data }) => aboutWebhook('dev.ccx.webhook.changed.v1', data),
  WebhookPaused: ({ data: { webhookId, because: reason } }) => [
    { type: 'dev.ccx.webhook.paused.v1', subject: `webhooks/${webhookId}`, data: { webhookId, reason } },
  ],
  WebhookResumed: ({ data }) => aboutWebhook('dev.ccx.webhook.resumed.v1', data),
  WebhookSecretRotated: ({ data: { webhookId, previousUntil } }) => [
    { type: 'dev.ccx.webhook.secret-rotated.v1', subject: `webhooks/${webhookId}`, data: { webhookId, previousUntil } },
  ],
  WebhookDeleted: ({ data }) => aboutWebhook('dev.ccx.webhook.deleted.v1', data),
  // What is sent once more is no news.
  WebhookReplayAsked: nothing,
  DeadLetterReplayAsked: nothing,
}

const mapped = <T extends KnownEvent['type']>(type: T, event: Internal[T]): readonly PublicEvent[] => mapping[type](event)

/** What integrators get of an internal event, in this order; none for what is private. */
export const publicEvents = (event: KnownEvent): readonly PublicEvent[] => mapped(event.type, event)

/** Whose event it is. The first events ever written say it in their data only, and some of them not at all. */
export const organisationOf = ({ type, data, metadata }: KnownEvent): string | undefined => {
  if (metadata.organisationId !== undefined) return metadata.organisationId
  switch (type) {
    case 'DatastoreCreated':
    case 'DeploymentRetried':
      return data.spec.ownerId
    case 'JobQueued':
      return data.ownerId
    case 'JobAdmitted':
    case 'JobStarted':
      return data.input.spec.ownerId
    case 'AccountRegistered':
    case 'LoginConfirmed':
    case 'PasswordChanged':
    case 'ClientRotated':
    case 'ClientCreated':
    case 'ClientRevoked':
    case 'EventStreamOpened':
    case 'EventStreamClosed':
    case 'OrganisationErased':
      return data.accountId
    case 'ParameterGroupCreated':
    case 'ParameterGroupChanged':
    case 'ParameterGroupChosen':
    case 'ParameterGroupDeleted':
      return data.ownerId
    case 'WebhookCreated':
    case 'OrganisationCreated':
      return data.organisationId
    default:
      return undefined
  }
}
