import type { KnownEvent } from '../../projections/known-event.ts'
import { wordsOf } from '../../projections/event-words.ts'

/** A line as the operators' clients know it. `user` is the id of an account, or `system`. */
export type Line = {
  readonly text: string
  readonly user: string
  readonly time: string
  readonly type: 'job' | 'info' | 'create_resource' | 'delete_resource'
  readonly data: Readonly<Record<string, string>>
}

type Ordered = Extract<KnownEvent, { readonly type: 'StepOrdered' }>
type Succeeded = Extract<KnownEvent, { readonly type: 'StepSucceeded' }>

/** The types of events that lines are made of. */
export const LINE_TYPES = [
  'DatastoreCreated', 'DatastoreDeployed', 'DeploymentFailed', 'DeletionStarted', 'DeletionAbandoned', 'DatastoreDeleted',
  'SettingsChanged', 'DatastoreChanged', 'ChangeAbandoned', 'JobQueued', 'JobDropped', 'JobEnded', 'AttentionNeeded',
  'StepOrdered', 'StepSucceeded',
] as const satisfies readonly KnownEvent['type'][]

/** What an order that makes or unmakes something is about. */
const RESOURCES: Readonly<Record<string, string>> = {
  network: 'network', machine: 'machine', address: 'floatingip', volume: 'volume',
}
const SUBJECT = /^infra\.(create|allocate|delete|release)-(network|machine|address|volume)$/

const userOf = ({ metadata: { actor } }: KnownEvent): string => (actor.kind === 'system' ? 'system' : actor.id)

const resourceLine = (event: Succeeded, { data: { order } }: Ordered, place: string): Line | undefined => {
  const [, verb = '', noun = ''] = SUBJECT.exec(order.subject) ?? []
  const type = RESOURCES[noun]
  if (type === undefined) return undefined
  const { result } = event.data
  const made = verb === 'create' || verb === 'allocate'
  const ids = 'nodeId' in order.body ? order.body.nodeId : 'networkId' in order.body ? order.body.networkId : ''
  const own = noun === 'address' ? result.publicAddress : noun === 'volume' ? result.volumeId : result.machineId
  return {
    text: `${made ? 'Made' : 'Removed'} a ${noun}`,
    user: userOf(event),
    time: event.data.at,
    type: made ? 'create_resource' : 'delete_resource',
    data: { id: ids, type, cloud: place, external_id: own ?? ids },
  }
}

const JOB_STATUS: Readonly<Record<string, string>> = { JobQueued: 'queued', JobDropped: 'dropped' }

const lineOf = (event: Exclude<KnownEvent, Ordered | Succeeded>): Line => {
  const text = wordsOf(event)
  const common = { text, user: userOf(event), time: event.data.at }
  switch (event.type) {
    case 'JobQueued':
    case 'JobDropped':
    case 'JobEnded': {
      const { jobId, kind } = event.data
      const status = event.type === 'JobEnded' ? event.data.end : (JOB_STATUS[event.type] ?? '')
      return { ...common, type: 'job', data: { id: jobId, type: kind.replaceAll('-', '_'), status } }
    }
    default:
      return { ...common, type: 'info', data: { message: text } }
  }
}

const placeKey = ({ data }: Ordered | Succeeded): string =>
  [data.jobId, data.step, data.key, data.attempt, data.course].join(' ')

/**
 * Makes lines of a datastore's events, which come newest first. What was done is told with what had been ordered, and that
 * comes later here.
 *
 * @param place the cloud and the region
 */
export const lining = (place: string) => {
  const lines: (Line | undefined)[] = []
  const awaited = new Map<string, { readonly event: Succeeded; readonly at: number }>()
  return {
    take: (event: KnownEvent): void => {
      if (event.type === 'StepSucceeded') {
        awaited.set(placeKey(event), { event, at: lines.push(undefined) - 1 })
      } else if (event.type === 'StepOrdered') {
        const found = awaited.get(placeKey(event))
        if (found === undefined) return
        awaited.delete(placeKey(event))
        lines[found.at] = resourceLine(found.event, event, place)
      } else {
        lines.push(lineOf(event))
      }
    },
    /** Whether the first so many lines can change no more. */
    has: (count: number): boolean => {
      const firstOpen = Math.min(...[...awaited.values()].map(({ at }) => at))
      return lines.slice(0, firstOpen).filter((line) => line !== undefined).length >= count
    },
    lines: (): readonly Line[] => lines.filter((line) => line !== undefined),
  }
}
