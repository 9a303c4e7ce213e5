import type { AccountEvent } from '../domain/account/account.ts'
import type { DatastoreEvent } from '../domain/datastore/messages.ts'
import type { InstallationEvent } from '../domain/installation/installation.ts'
import type { JobEvent } from '../domain/job/messages.ts'
import type { OrganisationEvent } from '../domain/organisation/messages.ts'
import type { ParameterGroupEvent } from '../domain/parameter-group/messages.ts'
import type { Recorded } from '../domain/kernel/event-store.ts'
import type { WebhookEvent } from '../domain/webhook/messages.ts'

type DomainEvent =
  | InstallationEvent
  | DatastoreEvent
  | JobEvent
  | AccountEvent
  | WebhookEvent
  | OrganisationEvent
  | ParameterGroupEvent

/** An event that some projection may make something of. */
export type KnownEvent = Recorded<DomainEvent>

/** The streams that such events are on. */
export const PREFIXES = [
  'datastore-', 'job-', 'account-', 'webhook-', 'organisation-', 'parameters-', 'installation-',
] as const

// A new event does not compile until it is named here with the streams it is on.
const PREFIX_OF: Readonly<Record<DomainEvent['type'], (typeof PREFIXES)[number]>> = {
  DatastoreCreated: 'datastore-',
  DatastoreDeployed: 'datastore-',
  DeploymentFailed: 'datastore-',
  DeploymentRetried: 'datastore-',
  DeletionStarted: 'datastore-',
  DeletionAbandoned: 'datastore-',
  DatastoreDeleted: 'datastore-',
  SettingsChanged: 'datastore-',
  DatastoreChanged: 'datastore-',
  ChangeAbandoned: 'datastore-',
  SourcesTrusted: 'datastore-',
  SourcesRevoked: 'datastore-',
  JobQueued: 'datastore-',
  JobAdmitted: 'datastore-',
  JobCancellationAsked: 'datastore-',
  JobAbandonmentAsked: 'datastore-',
  JobDropped: 'datastore-',
  JobEnded: 'datastore-',
  PrimaryChanged: 'datastore-',
  FailoverHeldBack: 'datastore-',
  PrimaryRecovered: 'datastore-',
  NodeLost: 'datastore-',
  NodeRecovered: 'datastore-',
  ServerRestarted: 'datastore-',
  JobStarted: 'job-',
  StepOrdered: 'job-',
  StepNoted: 'job-',
  StepSucceeded: 'job-',
  StepFailed: 'job-',
  AttentionNeeded: 'job-',
  JobCancelled: 'job-',
  UnwindingBegun: 'job-',
  JobFinished: 'job-',
  JobUnwound: 'job-',
  JobAbandoned: 'job-',
  AdmissionStopped: 'installation-',
  AdmissionOpened: 'installation-',
  AccountRegistered: 'account-',
  LoginConfirmed: 'account-',
  PasswordChanged: 'account-',
  ClientCreated: 'account-',
  ClientRotated: 'account-',
  ClientRevoked: 'account-',
  EventStreamOpened: 'account-',
  EventStreamClosed: 'account-',
  OrganisationErased: 'account-',
  AccountSuspended: 'account-',
  AccountUnsuspended: 'account-',
  AccountDeleted: 'account-',
  OrganisationCreated: 'organisation-',
  OrganisationRenamed: 'organisation-',
  MemberInvited: 'organisation-',
  InvitationRevoked: 'organisation-',
  InvitationDeclined: 'organisation-',
  MemberJoined: 'organisation-',
  MemberRoleChanged: 'organisation-',
  MemberRemoved: 'organisation-',
  MemberLeft: 'organisation-',
  OwnershipHandedOver: 'organisation-',
  OrganisationStreamOpened: 'organisation-',
  OrganisationStreamClosed: 'organisation-',
  OrganisationDeleted: 'organisation-',
  OrganisationDataErased: 'organisation-',
  ParameterGroupCreated: 'parameters-',
  ParameterGroupChanged: 'parameters-',
  ParameterGroupChosen: 'parameters-',
  ParameterGroupDeleted: 'parameters-',
  WebhookCreated: 'webhook-',
  WebhookChanged: 'webhook-',
  WebhookPaused: 'webhook-',
  WebhookResumed: 'webhook-',
  WebhookSecretRotated: 'webhook-',
  WebhookReplayAsked: 'webhook-',
  DeadLetterReplayAsked: 'webhook-',
  WebhookDeleted: 'webhook-',
}

/** Every type of event that is known. */
export const KNOWN_TYPES: readonly string[] = Object.keys(PREFIX_OF)

const prefixes: ReadonlyMap<string, (typeof PREFIXES)[number]> = new Map(Object.entries(PREFIX_OF))

/** What the streams of a known type of event begin with. */
export const prefixOf = (type: string): (typeof PREFIXES)[number] | undefined => prefixes.get(type)

/** Whether an event of the log is one that projections know. What is not is passed over, never a fault. */
export const isKnown = (event: Recorded): event is KnownEvent => {
  const prefix = prefixes.get(event.type)
  return prefix !== undefined && event.stream.startsWith(prefix)
}
