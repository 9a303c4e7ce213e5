import type { Scope } from '../domain/installation/installation.ts'
import type { ParameterValues } from '../domain/catalogue/parameters.ts'
import type { Change } from '../domain/datastore/changes/index.ts'
import { isNodeKey } from '../domain/job/saga.ts'
import type { KnownEvent } from './known-event.ts'

type Type = KnownEvent['type']
type Told = { readonly [T in Type]: Extract<KnownEvent, { readonly type: T }> }

/** How steps and nodes are called, where that is known. */
export type Names = {
  readonly step: (jobId: string, step: string) => string
  readonly node: (nodeId: string) => string
}

const unnamed: Names = { step: (_, step) => step, node: (nodeId) => nodeId }

type Words = { readonly [T in Type]: (event: Told[T], names: Names) => string }
type Placed = { readonly jobId: string; readonly step: string; readonly key: string; readonly course: 'forward' | 'back' }

const titled = ({ jobId, step, key, course }: Placed, { step: title, node }: Names): string =>
  `${course === 'back' ? 'Undo of ' : ''}“${title(jobId, step)}”${isNodeKey(key) ? ` on ${node(key)}` : ''}`

const attempt = (n: number): string => (n === 1 ? '' : `, attempt ${n}`)
const kindOf = (kind: string): string => kind.replaceAll('-', ' ')

const nodesOf = (change: Change): readonly string[] => {
  switch (change.kind) {
    case 'add-nodes':
      return change.nodes.map(({ nodeId }) => nodeId)
    case 'remove-nodes':
      return change.nodeIds
    case 'repair-node':
    case 'upgrade-node':
    case 'promote-replica':
    case 'reboot-node':
    case 'rejoin-node':
      return [change.nodeId]
    case 'fail-over':
      return [change.lostId]
    default:
      return []
  }
}

/** The database or user that a change is about, by the name its owner gave it: still sealed. */
const aboutOf = (change: Change): readonly string[] => {
  switch (change.kind) {
    case 'create-database':
      return [`“${change.database.name}”`]
    case 'create-user':
      return [`“${change.user.name}”`]
    case 'drop-database':
    case 'drop-user':
      return [`“${change.name}”`]
    default:
      return []
  }
}

const ofChange = (change: Change, { node }: Names): string =>
  [kindOf(change.kind), [...nodesOf(change).map(node), ...aboutOf(change), ...valuesOf(change)].join(', ')].join(' ').trim()

const valuesOf = (change: Change): readonly string[] => {
  switch (change.kind) {
    case 'change-parameters':
      return [chosen(change.values)]
    case 'resize-instances':
      return [`to ${change.instance.code}`]
    case 'grow-volumes':
      return [`to ${change.sizeGib} GiB`, ...(change.because === undefined ? [] : [`because ${change.because}`])]
    case 'change-volume-type':
      return [`to ${change.volume.type}`, `${change.volume.sizeGib} GiB`]
    case 'set-read-only':
      return [change.readOnly ? 'on' : 'off', `because ${change.because}`]
    case 'fail-over':
      return [`because ${change.because}`]
    case 'set-synchronous':
      return [change.synchronous ? 'on' : 'off']
    default:
      return []
  }
}

const chosen = (values: ParameterValues): string => {
  const all = Object.entries(values)
  return all.length === 0 ? 'every parameter at its default' : all.map(([name, value]) => `${name} = ${value}`).join(', ')
}

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const ofScope = (scope: Scope): string => (scope.kind === 'all' ? 'from anybody' : `of ${scope.kind} ${scope.name}`)

// A new event does not compile until it has words. Personal texts stay sealed in them, for whoever may to open.
const words: Words = {
  DatastoreCreated: ({ data: { spec } }) =>
    `The datastore “${spec.name}” was asked for: ${spec.vendor} ${spec.version}, ${counted(spec.nodes.length, 'node')} of size ` +
    `${spec.instance.code} in ${spec.cloud} ${spec.region}`,
  DatastoreDeployed: ({ data: { nodes } }) => `The datastore came up with ${counted(nodes.length, 'node')}`,
  DeploymentFailed: ({ data: { because } }) => `The deployment failed: ${because}`,
  DeploymentRetried: ({ data: { spec: { nodes } } }) =>
    `The deployment was begun again, on ${counted(nodes.length, 'other node')}`,
  DeletionStarted: () => 'The deletion of the datastore began',
  DeletionAbandoned: ({ data: { because } }) => `The deletion was abandoned: ${because}`,
  DatastoreDeleted: () => 'The datastore was deleted',
  SettingsChanged: ({ data: { settings } }) => `Settings were changed: ${Object.keys(settings).join(', ')}`,
  DatastoreChanged: ({ data: { change, nodes } }, names) =>
    `The datastore was changed (${ofChange(change, names)}); it has ${counted(nodes.length, 'node')}`,
  ChangeAbandoned: ({ data: { change, because } }, names) =>
    `The change came to nothing (${ofChange(change, names)}): ${because}`,

  SourcesTrusted: ({ data: { sources } }) => `Clients may connect from ${sources.map(({ source }) => source).join(', ')}`,
  SourcesRevoked: ({ data: { ruleIds } }) => `Clients may connect no more from ${counted(ruleIds.length, 'source')}`,

  JobQueued: ({ data: { kind, change } }, names) =>
    `A job was queued: ${change === undefined ? kindOf(kind) : ofChange(change, names)}`,
  JobAdmitted: ({ data: { kind } }) => `The job's turn came: ${kindOf(kind)}`,
  JobCancellationAsked: ({ data: { because } }) => `The job at work was asked to stop: ${because}`,
  JobAbandonmentAsked: ({ data: { because } }) => `The job at work was to end where it stood: ${because}`,
  JobDropped: ({ data: { kind, because } }) => `The job “${kindOf(kind)}” was dropped before it began: ${because}`,
  JobEnded: ({ data: { kind, end, because } }) =>
    `The job “${kindOf(kind)}” ${end === 'finished' ? 'finished' : `ended as ${end}`}${because === null ? '' : `: ${because}`}`,

  PrimaryChanged: ({ data: { formerId, primaryId, epoch, because, writesBackAt } }, { node }) =>
    `The node ${node(primaryId)} became the primary in place of ${node(formerId)}, in epoch ${epoch}: ${because}; ` +
    `writes were back at ${writesBackAt}`,
  FailoverHeldBack: ({ data: { primaryId, until, because } }, { node }) =>
    `No node takes the place of ${node(primaryId)} before ${until}: ${because}`,
  PrimaryRecovered: ({ data: { primaryId, lastSeenAt } }, { node }) =>
    `The primary ${node(primaryId)}, lost at ${lastSeenAt}, does its part again`,
  NodeLost: ({ data: { nodeId, since, because } }, { node }) => `The node ${node(nodeId)} was lost at ${since}: ${because}`,
  NodeRecovered: ({ data: { nodeId, downMs } }, { node }) =>
    `The node ${node(nodeId)} does its part again, after ${Math.round(downMs / 1_000)} s`,
  ServerRestarted: ({ data: { nodeId, downSince, backAt } }, { node }) =>
    `The server of ${node(nodeId)} died at ${downSince} and was started again; it was back at ${backAt}`,

  JobStarted: ({ data: { title, steps } }) => `The job “${title}” began; it has ${counted(steps.length, 'step')}`,
  StepOrdered: ({ data }, names) => `${titled(data, names)} was ordered${attempt(data.attempt)}`,
  StepNoted: ({ data }, names) => `${titled(data, names)}: ${data.line}`,
  StepSucceeded: ({ data }, names) => `${titled(data, names)} was done${attempt(data.attempt)}`,
  StepFailed: ({ data }, names) =>
    `${titled(data, names)} failed${attempt(data.attempt)}: ${data.because}` +
    (data.retryAt === null ? '' : '; it will be tried again'),
  AttentionNeeded: ({ data }, names) => `An operator was asked to look at ${titled(data, names)}: ${data.because}`,
  JobCancelled: ({ data: { because } }) => `The job was cancelled: ${because}`,
  UnwindingBegun: ({ data: { because } }) => `The job began to undo what it had done: ${because}`,
  JobFinished: () => 'The job had done all its steps',
  JobUnwound: ({ data: { because } }) => `The job had undone all that it did: ${because}`,
  JobAbandoned: ({ data: { because } }) => `The job ended where it stood: ${because}`,

  AdmissionStopped: ({ data: { scope, because, deletions } }) =>
    `No new jobs are taken ${ofScope(scope)}${deletions ? '' : ', deletions neither'}: ${because}`,
  AdmissionOpened: ({ data: { scope } }) => `New jobs are taken again ${ofScope(scope)}`,

  AccountRegistered: ({ data: { login, isAdmin } }) => `${isAdmin ? 'The operator' : 'The account'} ${login} was registered`,
  LoginConfirmed: () => 'The login was shown to be its owner’s',
  PasswordChanged: ({ data: { by } }) =>
    by === 'mail' ? 'The password was set anew by way of a mail' : 'The password was changed',
  ClientCreated: ({ data: { name } }) => `Client credentials “${name}” were made`,
  ClientRotated: ({ data: { clientId, previousUntil } }) =>
    `The client credentials ${clientId} got a new secret; the one before holds until ${previousUntil}`,
  ClientRevoked: ({ data: { clientId } }) => `The client credentials ${clientId} were revoked`,
  EventStreamOpened: () => 'Credentials for the stream of events were made; those before them hold no more',
  EventStreamClosed: () => 'The credentials for the stream of events were taken back',
  OrganisationErased: () => 'The organisation was erased: what was personal in it can be read by nobody any more',
  AccountSuspended: ({ data: { reason } }) => `The account was suspended: ${reason}`,
  AccountUnsuspended: () => 'The account was let in again',
  AccountDeleted: () => 'The account was deleted: nobody can sign in to it any more',

  OrganisationCreated: ({ data: { name } }) => `The organisation “${name}” was made`,
  OrganisationRenamed: ({ data: { name } }) => `The organisation was renamed “${name}”`,
  MemberInvited: ({ data: { address, role, expiresAt } }) =>
    `An invitation as ${role} went to ${address}; it holds until ${expiresAt}`,
  InvitationRevoked: ({ data: { invitationId, because } }) =>
    because === 'asked'
      ? `The invitation ${invitationId} was taken back`
      : `The invitation ${invitationId} holds no more: another took its place, or who gave it may do so no longer`,
  InvitationDeclined: ({ data: { invitationId } }) => `The invitation ${invitationId} was declined`,
  MemberJoined: ({ data: { userId, role } }) => `The user ${userId} joined as ${role}`,
  MemberRoleChanged: ({ data: { userId, role, previously } }) => `The user ${userId} became ${role}; he was ${previously}`,
  MemberRemoved: ({ data: { userId } }) => `The user ${userId} was removed`,
  MemberLeft: ({ data: { userId } }) => `The user ${userId} left`,
  OwnershipHandedOver: ({ data: { from, to } }) => `The user ${from} handed the ownership over to ${to}`,
  OrganisationStreamOpened: () => 'Credentials for the stream of events were made; those before them hold no more',
  OrganisationStreamClosed: () => 'The credentials for the stream of events were taken back',
  OrganisationDeleted: () => 'The organisation was deleted',
  OrganisationDataErased: () => 'The organisation was erased: what was personal in it can be read by nobody any more',

  ParameterGroupCreated: ({ data: { name, vendor, version, values } }) =>
    `The parameter group “${name}” was made for ${vendor} ${version}: ${chosen(values)}`,
  ParameterGroupChanged: ({ data: { name, description, values } }) =>
    `The parameter group was changed: ${[
      ...(name === undefined ? [] : [`its name is “${name}”`]),
      ...(description === undefined ? [] : ['its description']),
      ...(values === undefined ? [] : [chosen(values)]),
    ].join(', ')}`,
  ParameterGroupChosen: ({ data: { groupId } }) => `The parameter group ${groupId} was chosen for the datastore`,
  ParameterGroupDeleted: () => 'The parameter group was deleted',

  WebhookCreated: ({ data: { url } }) => `A webhook to ${url} was made`,
  WebhookChanged: ({ data }) => {
    const changed = Object.keys(data).filter((name) => name !== 'webhookId' && name !== 'at')
    return `The webhook was changed: ${changed.join(', ')}`
  },
  WebhookPaused: ({ data: { because } }) => `The webhook was paused: ${because}`,
  WebhookResumed: () => 'The webhook was resumed',
  WebhookSecretRotated: ({ data: { previousUntil } }) =>
    `The webhook got a new secret; the one before signs as well until ${previousUntil}`,
  WebhookReplayAsked: ({ data: { cursor } }) => `The webhook was asked to send everything after ${cursor} again`,
  DeadLetterReplayAsked: ({ data: { eventId } }) => `The webhook was asked to try the event ${eventId} once more`,
  WebhookDeleted: () => 'The webhook was deleted',
}

const told = <T extends Type>(type: T, event: Told[T], names: Names): string => words[type](event, names)

/**
 * What an event says, as a sentence for people.
 *
 * @param names how steps and nodes are called; else they go by the names and ids that the event has
 * @returns personal texts as they are in the event: sealed
 */
export const wordsOf = (event: KnownEvent, names: Names = unnamed): string => told(event.type, event, names)
