import { type Rejection, reject } from '../../kernel/decider.ts'
import type { DatastoreSpec, NodePlan, NodeState } from '../spec.ts'

/** A datastore as far as changes go: what it is to be, and what is known of its nodes. */
export type Shape = { readonly spec: DatastoreSpec; readonly nodes: readonly NodeState[] }

/** An id and a name that no node ever had. */
export type FreshNode = Pick<NodePlan, 'nodeId' | 'name'>

/** What holds of one kind of change, whose body is `Body`. */
export type Rule<Body, Code extends string = string> = {
  /** The shape that the change leads to. Nodes that are to come are known once they are there. */
  readonly changed: (shape: Shape, change: Body) => Shape
  /** Why the change makes no sense for a datastore of this shape; undefined when it does. */
  readonly refusal: (shape: Shape, change: Body) => Rejection<Code> | undefined
  /** The specification that its job works on, where that is not the one there is before. */
  readonly atWork?: (shape: Shape, change: Body) => DatastoreSpec
  /** Whether it is so already, so that there is nothing to do. */
  readonly isSo?: (shape: Shape, change: Body) => boolean
  /** It makes sense for a datastore that is stopped. All else needs servers that run, and is refused. */
  readonly whileStopped?: true
  /** It carries out what is in force already, so its job cannot be taken back while it waits. */
  readonly mustBeDone?: true
}

export const hasNode = ({ spec }: Shape, nodeId: string): boolean => spec.nodes.some((node) => node.nodeId === nodeId)

/** A datastore that is still being deployed begins with its first node as the primary. */
export const isPrimary = ({ spec, nodes }: Shape, nodeId: string): boolean =>
  nodes.length === 0
    ? spec.nodes[0]?.nodeId === nodeId
    : nodes.some((node) => node.nodeId === nodeId && node.role === 'primary')

export const unknownNode = (nodeId: string) => reject('node-not-found', `the datastore has no node ${nodeId}`)
