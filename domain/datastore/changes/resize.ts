import type { Instance } from '../../job/orders.ts'
import type { DatastoreSpec, NodeState } from '../spec.ts'
import type { Rule, Shape } from './rule.ts'

/** Every node gets this size, and whatever node comes later has it too. */
export type ResizeInstances = { readonly instance: Instance }

/** A catalogue may give an old code another meaning. */
const isSame = (a: Instance, b: Instance): boolean => a.code === b.code && a.cpu === b.cpu && a.ramGb === b.ramGb

/**
 * The nodes that have to be stopped for the datastore to have this size. What all members have alike follows from the size
 * of the datastore; so if that changes, it is every one.
 */
export const nodesToResize = (
  { instance: before, nodes }: Pick<DatastoreSpec, 'instance' | 'nodes'>,
  { instance }: ResizeInstances,
): readonly string[] =>
  nodes
    .filter((node) => !isSame(before, instance) || !isSame(node.instance, instance))
    .map(({ nodeId }) => nodeId)

/** The specification after it. */
export const resizedSpec = (spec: DatastoreSpec, { instance }: ResizeInstances): DatastoreSpec => ({
  ...spec,
  instance,
  nodes: spec.nodes.map((node) => ({ ...node, instance })),
})

/**
 * The replica that becomes the primary when the primary has to be stopped: the first there is.
 *
 * @returns undefined when the primary keeps its role
 */
export const successorIn = ({ spec, nodes }: Shape, change: ResizeInstances): string | undefined => {
  const primary = nodes.find(({ role }) => role === 'primary')?.nodeId ?? spec.nodes[0]?.nodeId
  return nodesToResize(spec, change).some((nodeId) => nodeId === primary)
    ? spec.nodes.find(({ nodeId }) => nodeId !== primary)?.nodeId
    : undefined
}

const rolesAfter = (shape: Shape, change: ResizeInstances): readonly NodeState[] => {
  const successor = successorIn(shape, change)
  return successor === undefined
    ? shape.nodes
    : shape.nodes.map((node) => ({ ...node, role: node.nodeId === successor ? 'primary' : 'replica' }))
}

/** The job works on what there is before it: it takes the nodes one after the other. */
export const resizeInstances: Rule<ResizeInstances, never> = {
  changed: (shape, change) => ({ spec: resizedSpec(shape.spec, change), nodes: rolesAfter(shape, change) }),
  refusal: () => undefined,
}
