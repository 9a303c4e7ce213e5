import type { ReplaceNode } from '../domain/datastore/changes/replacement.ts'
import type { JobInput } from '../domain/datastore/messages.ts'
import type { Facts, Saga, Step } from '../domain/job/saga.ts'
import { arrival } from './arrival.ts'
import { clusterOf, publishEndpoint, withdrawNames } from './cluster.ts'
import { nodesIn, primaryOf, withoutNodes } from './members.ts'
import { bootStep, checkStep, ids } from './nodes.ts'
import { sideBySide } from './side-by-side.ts'
import { type Switchover, caughtUp, newEndpoint, othersFollow, promote, publishStep, stopPrimary } from './switchover.ts'

const wanted = ({ input: { change } }: Facts): ReplaceNode => {
  if (change?.kind === 'repair-node' || change?.kind === 'upgrade-node') return change
  throw new Error('BUG: a replacement has a node that goes')
}

const gone = (facts: Facts): readonly string[] => [wanted(facts).nodeId]

const come = (facts: Facts): string => {
  const { replacement } = wanted(facts)
  if (replacement === null) throw new Error('BUG: no node comes in the place of one that is started again')
  return replacement.nodeId
}
const added = (facts: Facts): readonly string[] => [come(facts)]

const isPrimaryReplaced = (facts: Facts): boolean => primaryOf(facts) === wanted(facts).nodeId

const before = (facts: Facts): Facts => withoutNodes(facts, added(facts))
const after = (facts: Facts): Facts => withoutNodes(facts, gone(facts))

/** An old replica may be dead, and nothing may wait for it. An old primary has to hand over. */
const needed = (facts: Facts): Facts => (isPrimaryReplaced(facts) ? facts : after(facts))

const primaryAfter = (facts: Facts): string => (isPrimaryReplaced(facts) ? come(facts) : primaryOf(facts))

const switchover: Switchover = {
  successor: come,
  after,
  restart: (facts, nodeId) => ({ subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }),
}

const checked = (as: (facts: Facts) => Facts, primary: (facts: Facts) => string): Step => ({
  ...checkStep(primary),
  does: (facts) => ({ subject: 'cmon.check-cluster', body: { cluster: clusterOf(as(facts)), primaryId: primary(facts) } }),
})

const handOver: readonly Step[] = [
  stopPrimary(switchover),
  caughtUp(switchover),
  promote(switchover),
  {
    ...sideBySide('switch', 'Lead everyone to the new primary', [newEndpoint(switchover), othersFollow(switchover)]),
    irreversible: true,
  },
]

const leadAway: Step = {
  name: 'lead-away',
  title: 'Lead everyone to the new node, nobody to the old one',
  does: (facts) => publishEndpoint(after(facts)),
  undo: (facts) => publishEndpoint(before(facts)),
  timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
}

/** None of it asks the old node for anything: its data go with its volume, and its server with its machine. */
const departure: readonly Step[] = [
  {
    name: 'cluster',
    title: 'Tell the controller that the old node goes',
    irreversible: true,
    does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(after(facts)) } }),
    timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
  },
  {
    name: 'node-names',
    title: 'Withdraw the name of the old node',
    irreversible: true,
    does: (facts) => withdrawNames(facts, gone(facts)),
    timeoutMs: 60_000, attemptsMax: 8, backoffMs: 1_000,
  },
  {
    name: 'old-volume',
    title: 'Delete the volume of the old node',
    irreversible: true,
    keys: gone,
    does: (facts, nodeId) => ({ subject: 'infra.delete-volume', body: { ...ids(facts), nodeId } }),
    timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'old-address',
    title: 'Release the public address of the old node',
    irreversible: true,
    keys: gone,
    does: (facts, nodeId) => ({ subject: 'infra.release-address', body: { ...ids(facts), nodeId } }),
    timeoutMs: 60_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'old-machine',
    title: 'Delete the machine of the old node',
    irreversible: true,
    keys: gone,
    does: (facts, nodeId) => ({ subject: 'infra.delete-machine', body: { ...ids(facts), nodeId } }),
    timeoutMs: 300_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'forget',
    title: 'Keep nothing for the old node any more',
    irreversible: true,
    keys: gone,
    does: (facts, nodeId) => ({
      subject: 'cmon.forget-node',
      body: { cluster: clusterOf(facts), nodeId, primaryId: primaryAfter(facts) },
    }),
    timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
  },
  {
    name: 'members',
    title: 'Tell the nodes of each other',
    irreversible: true,
    keys: (facts) => nodesIn(after(facts)),
    does: (facts, nodeId) => ({
      subject: 'cmon.configure-node',
      body: { cluster: clusterOf(after(facts)), nodeId, primaryId: primaryAfter(facts) },
    }),
    timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
  },
  { ...checked(after, primaryAfter), irreversible: true },
  publishStep(after),
]

/** The only node that there is, or one that nothing can come in the place of. */
const inPlace: readonly Step[] = [
  { ...bootStep(gone), title: 'See that the machine is up' },
  {
    name: 'restart',
    title: 'Start the server again',
    keys: gone,
    does: (facts, nodeId) => ({
      subject: 'cmon.restart-node',
      body: { cluster: clusterOf(facts), nodeId, primaryId: primaryOf(facts) },
    }),
    undo: (facts, nodeId) => ({ subject: 'cmon.start-node', body: { cluster: clusterOf(facts), nodeId } }),
    timeoutMs: 180_000, attemptsMax: 3, backoffMs: 1_000,
  },
]

const replaced = (facts: Facts): readonly Step[] => [
  {
    ...checked((found) => needed(before(found)), primaryOf),
    name: 'ready',
    title: 'Check that every other node is fit for it',
    timeoutMs: 20_000, attemptsMax: 2,
  },
  ...arrival({
    added,
    present: (found) => nodesIn(needed(before(found))),
    before,
  }),
  { ...checked(needed, primaryOf), name: 'joined', title: 'Check that the new node does its part' },
  ...(isPrimaryReplaced(facts) ? handOver : [leadAway]),
  ...departure,
]

const replacing = (kind: Saga['kind'], title: string) => (input: JobInput): Saga => {
  const facts = { input, learned: { nodes: {} } }
  const isInPlace = wanted(facts).replacement === null
  const isFelt = isPrimaryReplaced(facts)
  const downtime = isInPlace && isFelt && input.spec.nodes.length === 1 ? 'down' : 'write-pause'
  return { kind, title, downtime: isFelt ? downtime : 'none', steps: isInPlace ? inPlace : replaced(facts) }
}

/**
 * A node comes in the place of another: first it is there and streams, then a primary hands over to it, then the old one goes.
 * The datastore has never fewer nodes than before, and whatever can fail comes before anything is given up.
 */
export const repairNode = replacing('repair-node', 'Repair a node')

/** The same for a node that is well, but was built from what is not the newest any more. */
export const upgradeNode = replacing('upgrade-node', 'Upgrade a node')
