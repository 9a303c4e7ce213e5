import type { Catalogue } from '../catalogue/catalogue.ts'
import { isOutdated } from '../catalogue/server-config.ts'
import type { Instant } from '../kernel/time.ts'
import type { Change, FreshNode, Shape } from './changes/index.ts'
import { isPrimary } from './changes/rule.ts'
import type { JobAdmitted } from './messages.ts'
import type { DatastoreSpec } from './spec.ts'

/** When the building of each node was begun, by its id. */
export type Built = Readonly<Record<string, Instant>>

/** A node is built from what is the newest when its job's turn comes. */
export const builtAfter = (built: Built, { at, input: { spec } }: JobAdmitted['data']): Built => {
  const begun = spec.nodes.filter(({ nodeId }) => !Object.hasOwn(built, nodeId)).map(({ nodeId }) => [nodeId, at] as const)
  return { ...built, ...Object.fromEntries(begun) }
}

type IsDue = (builtAt: Instant) => boolean

const those = (nodes: DatastoreSpec['nodes'], built: Built, isDue: IsDue): readonly string[] =>
  nodes.flatMap(({ nodeId }) => {
    const at = built[nodeId]
    return at !== undefined && isDue(at) ? [nodeId] : []
  })

/**
 * The nodes that were built before the newest image and software came out.
 *
 * @param nodes of the datastore
 * @param now a date in the future is none yet
 */
export const upgradeDue = (
  { nodes }: Pick<DatastoreSpec, 'nodes'>,
  built: Built,
  catalogue: Pick<Catalogue, 'serverConfig'>,
  now: Instant,
): readonly string[] => those(nodes, built, (builtAt) => isOutdated(catalogue, builtAt, now))

/**
 * The nodes that their owner wants replaced when his maintenance window opens. What he wants is done with once none is older
 * than what was the newest when he asked; so nothing has to be taken back.
 */
export const upgradeDueInWindow = (
  { nodes, upgradeInWindow }: Pick<DatastoreSpec, 'nodes' | 'upgradeInWindow'>,
  built: Built,
): readonly string[] => (typeof upgradeInWindow !== 'string' ? [] : those(nodes, built, (builtAt) => builtAt < upgradeInWindow))

/**
 * The order in which nodes are replaced: oldest replica first and the primary last, so that the role moves once.
 *
 * @param nodeIds those to replace, from `upgradeDue`
 */
export const upgradeOrder = (shape: Shape, nodeIds: readonly string[], built: Built): DatastoreSpec['nodes'] => {
  const age = (nodeId: string): string => `${isPrimary(shape, nodeId) ? 1 : 0} ${built[nodeId] ?? ''}`
  return shape.spec.nodes
    .filter(({ nodeId }) => nodeIds.includes(nodeId))
    .toSorted((a, b) => (age(a.nodeId) < age(b.nodeId) ? -1 : Number(age(a.nodeId) > age(b.nodeId))))
}

/**
 * One change for each node, in the order of `upgradeOrder`. Each is a job of its own: what one of them cannot do leaves the
 * datastore whole, and the rest go on.
 *
 * @param nodeIds those to replace, from `upgradeDue`
 * @param fresh at least as many as there are nodes
 */
export const planUpgrade = (
  shape: Shape,
  nodeIds: readonly string[],
  built: Built,
  fresh: readonly FreshNode[],
): readonly Extract<Change, { readonly kind: 'upgrade-node' }>[] => {
  const names = new Set(shape.spec.nodes.map(({ name }) => name))
  const free = fresh.filter(({ name }) => !names.has(name))
  return upgradeOrder(shape, nodeIds, built).map((node, n) => {
    const another = free[n]
    if (another === undefined) throw new Error('BUG: the planner was given fewer node ids than it needs')
    return { kind: 'upgrade-node', nodeId: node.nodeId, replacement: { ...node, ...another } }
  })
}

/**
 * A node that does not do its part, with another one in its place: of its size, in its zone. The only node that there is
 * holds all the data, and is started again where it is.
 *
 * @param fresh one more than there are nodes
 */
export const planRepair = ({ spec }: Shape, nodeId: string, fresh: readonly FreshNode[]): Change => {
  const old = spec.nodes.find((node) => node.nodeId === nodeId)
  const another = fresh.find(({ name }) => !spec.nodes.some((node) => node.name === name))
  const isReplaced = old !== undefined && another !== undefined && spec.nodes.length > 1
  return { kind: 'repair-node', nodeId, replacement: isReplaced ? { ...old, ...another } : null }
}
