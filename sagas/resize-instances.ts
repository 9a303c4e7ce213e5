import { type ResizeInstances, nodesToResize, resizedSpec, successorIn } from '../domain/datastore/changes/resize.ts'
import type { JobInput } from '../domain/datastore/messages.ts'
import type { Order } from '../domain/job/orders.ts'
import type { Facts, Saga, Step } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { primaryOf } from './members.ts'
import { checkStep, ids } from './nodes.ts'
import { sideBySide } from './side-by-side.ts'
import {
  type Switchover, caughtUp, formerFollows, newEndpoint, othersFollow, promote, publishStep, stopPrimary, wholeAgain,
} from './switchover.ts'

type Given = Pick<Facts, 'input'>

const wanted = ({ input: { change } }: Given): ResizeInstances => {
  if (change?.kind !== 'resize-instances') throw new Error('BUG: a resize has a size')
  return change
}

/** The datastore in its new size. */
const resized = (facts: Facts): Facts => ({
  ...facts,
  input: { ...facts.input, spec: resizedSpec(facts.input.spec, wanted(facts)) },
})

const shrinks = (facts: Given): boolean => wanted(facts).instance.ramGb < facts.input.spec.instance.ramGb

/** Machines of the size they have, but what all members have alike as it is to be. */
const agreed = ({ input, learned }: Facts): Facts => {
  const { instance } = wanted({ input })
  return { input: { ...input, spec: { ...input.spec, instance } }, learned }
}

/** Replicas first; the primary, last of them, has become a replica by then. */
const inTurn = (facts: Facts) => {
  const nodeIds = nodesToResize(facts.input.spec, wanted(facts))
  const primary = primaryOf(facts)
  return { replicas: nodeIds.filter((nodeId) => nodeId !== primary), primary: nodeIds.filter((nodeId) => nodeId === primary) }
}

const resume = (as: (facts: Facts) => Facts) => (facts: Facts, nodeId: string): Order => ({
  subject: 'cmon.resume-node',
  body: { cluster: clusterOf(as(facts)), nodeId, primaryId: primaryOf(facts) },
})

const asItWas = (facts: Facts): Facts => facts

const sizeOf = ({ input: { spec } }: Facts, nodeId: string) =>
  spec.nodes.find((node) => node.nodeId === nodeId)?.instance ?? spec.instance

const resizeTo = (as: (facts: Facts) => Facts) => (facts: Facts, nodeId: string): Order => ({
  subject: 'infra.resize-machine',
  body: { ...ids(facts), nodeId, instance: sizeOf(as(facts), nodeId) },
})

const stopStep = (name: string, title: string, nodeId: string): Step => ({
  name,
  title,
  keys: () => [nodeId],
  does: (facts) => ({ subject: 'cmon.stop-node', body: { cluster: clusterOf(facts), nodeId } }),
  // Whatever it was set up for since, it starts as it was.
  undo: resume(asItWas),
  timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
})

const startStep = (name: string, title: string, nodeId: string, as: (facts: Facts) => Facts): Step => ({
  name,
  title,
  keys: () => [nodeId],
  does: resume(as),
  undo: (facts) => ({ subject: 'cmon.stop-node', body: { cluster: clusterOf(facts), nodeId } }),
  timeoutMs: 300_000, attemptsMax: 3, backoffMs: 2_000,
})

/** One node in place: it serves nobody from the first step to the last. */
const inPlace = (nodeId: string, n: number, which: string): readonly Step[] => [
  stopStep(`stop-${n}`, `Stop ${which}`, nodeId),
  {
    name: `resize-${n}`,
    title: `Resize the machine of ${which}`,
    keys: () => [nodeId],
    does: resizeTo(resized),
    undo: resizeTo(asItWas),
    timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
  },
  startStep(`start-${n}`, `Start ${which} with its new size`, nodeId, resized),
]

/**
 * A replica must never allow for less than its primary does. Before the first replica shrinks the primary therefore takes
 * over what all are to have alike.
 */
const agreeFirst = (primary: string): readonly Step[] => [
  stopStep('pause', 'Stop the primary for a moment, writes pause', primary),
  startStep('agree', 'Start the primary with the limits of the smaller size', primary, agreed),
  { ...checkStep(primaryOf), name: 'agreed', title: 'Check that every replica streams again' },
]

const registerStep: Step = {
  name: 'cluster',
  title: 'Tell the controller of the new size',
  does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(resized(facts)) } }),
  undo: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(facts) } }),
  timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
}

const switchover: Switchover = {
  successor: (facts) => {
    const successor = successorIn(facts.input, wanted(facts))
    if (successor === undefined) throw new Error('BUG: there is no replica to promote')
    return successor
  },
  after: resized,
  restart: (facts, nodeId) => resume(shrinks(facts) ? agreed : asItWas)(facts, nodeId),
}

/** The former primary is down until it has its new size, and follows the one that was promoted. */
const primaryLast = (primary: string): readonly Step[] => [
  stopPrimary(switchover),
  caughtUp(switchover),
  promote(switchover),
  {
    ...sideBySide('switch', 'Lead everyone to the new primary', [newEndpoint(switchover), othersFollow(switchover)]),
    irreversible: true,
  },
  {
    name: 'resize',
    title: 'Resize the machine of the former primary',
    irreversible: true,
    keys: () => [primary],
    does: resizeTo(resized),
    timeoutMs: 900_000, attemptsMax: 3, backoffMs: 2_000,
  },
  { ...formerFollows(switchover), irreversible: true },
  wholeAgain(switchover),
  publishStep(),
]

const stepsFor = (input: JobInput): readonly Step[] => {
  const facts = { input, learned: { nodes: {} } }
  const { replicas, primary: [primary] } = inTurn(facts)
  const each = replicas.flatMap((nodeId, n) =>
    inPlace(nodeId, n + 1, replicas.length > 1 ? `replica ${n + 1} of ${replicas.length}` : 'the replica'),
  )
  const whole = checkStep(primaryOf)
  if (primary === undefined) return [...each, registerStep, whole]
  if (input.spec.nodes.length === 1) return [...inPlace(primary, 1, 'the node'), registerStep, whole]
  return [
    { ...whole, name: 'ready', title: 'Check that every node is fit for it', timeoutMs: 20_000 },
    ...(shrinks(facts) ? agreeFirst(primary) : []),
    ...each,
    registerStep,
    ...primaryLast(primary),
  ]
}

const downtimeOf = ({ input }: Given): Saga['downtime'] => {
  if (inTurn({ input, learned: { nodes: {} } }).primary.length === 0) return 'none'
  return input.spec.nodes.length === 1 ? 'down' : 'write-pause'
}

/**
 * Every node gets another size: replicas one after the other, then a replica that has it becomes the primary, and the former
 * primary, a replica from then on, is the last. The role does not come back: that would be another pause for nothing.
 */
export const resizeInstances = (input: JobInput): Saga => ({
  kind: 'resize-instances',
  title: 'Resize the instances',
  downtime: downtimeOf({ input }),
  steps: stepsFor(input),
})
