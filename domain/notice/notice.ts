import type { Change } from '../datastore/changes/index.ts'
import type { DatastoreEvent } from '../datastore/messages.ts'
import type { JobEvent } from '../job/messages.ts'
import {
  ofFailedFailover, ofHold, ofNodeLost, ofNodeRecovered, ofPrimaryChanged, ofPrimaryRecovered, ofRepair, ofServerRestarted,
} from './lost.ts'

/** Something of a datastore that its people want to be told by mail. */
export type Notice = {
  /** In a few words, after the datastore's name. */
  readonly subject: string
  readonly happened: string
  /** Why, in words for tenants; null where that needs no saying. */
  readonly because: string | null
  /** What its people can do about it. */
  readonly advice: string
  /** Events with the same mark are told of once; by itself every event is told of. */
  readonly mark?: string
}

/** What is to be known beside an event. */
export type Circumstances = {
  /** The datastore was being deleted: what comes to nothing then is what its people asked for. */
  readonly isGoing: boolean
  /** The same for everything that follows from one request. */
  readonly correlationId: string
  /** The control plane began it itself. */
  readonly isByItself: boolean
  /** It was a failover, and another one took its place before it was through. */
  readonly isSuperseded: boolean
  /** Nothing of its kind waits behind it. */
  readonly isLast: boolean
}

/** What a mail is about: which datastore it is, and where the reader finds more. */
export type About = { readonly name: string; readonly datastoreId: string; readonly at: string; readonly url: string }

const kindOf = (kind: string): string => kind.replaceAll('-', ' ')
const NO_ADVICE_NEEDED = 'There is nothing to do.'

const ofChange = (change: Change, { isLast }: Circumstances): Notice | undefined => {
  switch (change.kind) {
    case 'grow-volumes':
      return {
        subject: 'storage has grown',
        happened: `Each of its volumes now holds ${change.sizeGib} GiB.`,
        because: change.because ?? null,
        advice: NO_ADVICE_NEEDED,
      }
    case 'set-read-only':
      return change.readOnly
        ? {
            subject: 'takes no writes any more',
            happened: 'The datastore takes no writes any more; reads go on.',
            because: change.because,
            advice: 'Give its volumes more room, or let them grow by themselves. Once there is room, it takes writes again.',
          }
        : {
            subject: 'takes writes again',
            happened: 'The datastore takes writes again.',
            because: change.because,
            advice: NO_ADVICE_NEEDED,
          }
    case 'upgrade-node':
      return isLast
        ? {
            subject: 'is done with its upgrade',
            happened: 'One more outdated node was replaced by one of today; no other waits for its turn.',
            because: null,
            advice: NO_ADVICE_NEEDED,
          }
        : undefined
    default:
      return undefined
  }
}

const upgradeBegun = ({ correlationId, isByItself }: Circumstances): Notice => ({
  subject: 'is being upgraded',
  happened: 'Its outdated nodes are replaced one after the other, the primary last; writes pause for moments then.',
  because: isByItself ? 'Its maintenance window is open, and it was asked to be done then.' : 'It was asked to be done now.',
  advice: NO_ADVICE_NEEDED,
  mark: `upgrade ${correlationId}`,
})

/**
 * What an event means to the people of a datastore.
 *
 * @returns undefined for what is no news to them
 */
export const noticeOf = (event: DatastoreEvent | JobEvent, about: Circumstances): Notice | undefined => {
  const { isGoing } = about
  switch (event.type) {
    case 'JobQueued':
      if (isGoing) return undefined
      if (event.data.kind === 'upgrade-node') return upgradeBegun(about)
      return about.isByItself ? ofRepair(event) : undefined
    case 'PrimaryChanged':
      return ofPrimaryChanged(event)
    case 'FailoverHeldBack':
      return ofHold(event)
    case 'PrimaryRecovered':
      return ofPrimaryRecovered(event)
    case 'NodeLost':
      return ofNodeLost(event)
    case 'NodeRecovered':
      return ofNodeRecovered(event)
    case 'ServerRestarted':
      return ofServerRestarted(event)
    case 'DatastoreDeployed':
      return isGoing
        ? undefined
        : { subject: 'is up', happened: 'The datastore is up and can be connected to.', because: null, advice: NO_ADVICE_NEEDED }
    case 'DeploymentFailed':
      return isGoing
        ? undefined
        : {
            subject: 'could not be deployed',
            happened: 'The datastore could not be deployed. All that had been made of it is gone.',
            because: event.data.because,
            advice: 'Retry the job, which takes other machines; or delete the datastore.',
          }
    case 'DatastoreDeleted':
      return { subject: 'is deleted', happened: 'It and all it held is gone.', because: null, advice: NO_ADVICE_NEEDED }
    case 'JobEnded': {
      const { kind, end, because, jobId, datastoreId, at } = event.data
      if (end !== 'failed' || kind === 'deploy-datastore' || isGoing) return undefined
      // Begun again by itself; a node that is away for long is told of.
      if (kind === 'rejoin-node') return undefined
      if (kind === 'fail-over') return about.isSuperseded ? undefined : ofFailedFailover(datastoreId, because, at)
      return {
        subject: `“${kindOf(kind)}” failed`,
        happened: `The job “${kindOf(kind)}” (${jobId}) failed. What it had done is undone; the datastore is as it was.`,
        because,
        advice: 'Retry the job once the cause is gone.',
      }
    }
    case 'AttentionNeeded': {
      const { jobId, step, because } = event.data
      return {
        subject: 'a job does not get on',
        happened: `The job ${jobId} does not get past the step “${step}”. It goes on trying; the operators are asked to look.`,
        because,
        advice: 'You may have it tried at once by retrying the job.',
        mark: `attention ${jobId}`,
      }
    }
    case 'DatastoreChanged':
      return ofChange(event.data.change, about)
    default:
      return undefined
  }
}

/** The text of the mail. */
export const textOf = ({ happened, because, advice }: Notice, { name, datastoreId, at, url }: About): string =>
  [
    `Datastore: ${name} (${datastoreId})`,
    `Since: ${at}`,
    '',
    happened,
    ...(because === null ? [] : [`Why: ${because}`]),
    advice,
    '',
    `Its jobs: ${url}/api/v1/datastores/${datastoreId}/jobs`,
    '',
    'You get this because notifications are on for this datastore. Its settings say who gets them.',
    '',
  ].join('\n')
