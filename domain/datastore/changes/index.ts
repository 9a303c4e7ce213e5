import { type Rejection, reject } from '../../kernel/decider.ts'
import type { DatastoreSpec } from '../spec.ts'
import { createDatabase, dropDatabase } from './databases.ts'
import { failOver, rejoinNode, setSynchronous } from './failover.ts'
import { applyFirewall } from './firewall.ts'
import { addNodes, removeNodes } from './membership.ts'
import { promoteReplica, rebootNode } from './node-actions.ts'
import { changeParameters } from './parameters.ts'
import { startDatastore, stopDatastore } from './power.ts'
import { setReadOnly } from './read-only.ts'
import { replaceNode } from './replacement.ts'
import { resizeInstances } from './resize.ts'
import type { FreshNode, Rule, Shape } from './rule.ts'
import { changeAdmin, changeUser, createUser, dropUser } from './users.ts'
import { changeVolumeType, growVolumes } from './volumes.ts'

export type { FreshNode, Shape } from './rule.ts'

/** What holds of each kind of change. */
const rules = {
  'add-nodes': addNodes,
  'remove-nodes': removeNodes,
  'promote-replica': promoteReplica,
  'reboot-node': rebootNode,
  'grow-volumes': growVolumes,
  'change-volume-type': changeVolumeType,
  'set-read-only': setReadOnly,
  'resize-instances': resizeInstances,
  'repair-node': replaceNode,
  'upgrade-node': replaceNode,
  'change-parameters': changeParameters,
  'create-database': createDatabase,
  'drop-database': dropDatabase,
  'create-user': createUser,
  'change-user': changeUser,
  'drop-user': dropUser,
  'change-admin': changeAdmin,
  'apply-firewall': applyFirewall,
  'stop-datastore': stopDatastore,
  'start-datastore': startDatastore,
  'fail-over': failOver,
  'rejoin-node': rejoinNode,
  'set-synchronous': setSynchronous,
}

type Rules = typeof rules
type BodyOf<R> = R extends Rule<infer Body> ? Body : never
type CodeOf<R> = R extends Rule<never, infer Code> ? Code : never

export type ChangeKind = keyof Rules

export type ChangeOf<K extends ChangeKind> = { readonly [P in K]: { readonly kind: P } & BodyOf<Rules[P]> }[K]

/** What a job does to a datastore that is there, with every default resolved. */
export type Change = ChangeOf<ChangeKind>

export type ChangeRejection = CodeOf<Rules[ChangeKind]> | 'datastore-stopped'

type Table = { readonly [K in ChangeKind]: Rule<ChangeOf<K>, ChangeRejection> }
const table: Table = rules

/** The shape that a change leads to. Nodes that are to come are known once they are there. */
export const changed = <K extends ChangeKind>(shape: Shape, change: ChangeOf<K>): Shape =>
  table[change.kind].changed(shape, change)

/** The specification that a job works on: whatever is there before the change or after it. */
export const specAtWork = <K extends ChangeKind>(shape: Shape, change: ChangeOf<K>): DatastoreSpec =>
  table[change.kind].atWork?.(shape, change) ?? shape.spec

/**
 * Why a change makes no sense for a datastore of this shape.
 *
 * @returns undefined when it does
 */
export const refusalOf = <K extends ChangeKind>(
  shape: Shape,
  change: ChangeOf<K>,
): Rejection<ChangeRejection> | undefined => {
  const { whileStopped, refusal } = table[change.kind]
  return shape.spec.stopped === true && whileStopped !== true
    ? reject('datastore-stopped', 'the datastore is stopped, or will be by then; start it first')
    : refusal(shape, change)
}

/** Whether a datastore of this shape is already what the change would make of it. */
export const isSo = <K extends ChangeKind>(shape: Shape, change: ChangeOf<K>): boolean =>
  table[change.kind].isSo?.(shape, change) ?? false

/** Whether a job of that kind can only be carried out, even while it waits. */
export const mustBeDone = (kind: ChangeKind): boolean => table[kind].mustBeDone === true

/** The same change asked for once more. A kind that brings nodes brings others, under ids and names that never were. */
export const anew = (change: Change, fresh: readonly FreshNode[]): Change => {
  switch (change.kind) {
    case 'add-nodes':
      return { ...change, nodes: change.nodes.map((node, n) => ({ ...node, ...fresh[n] })) }
    case 'repair-node':
    case 'upgrade-node':
      return { ...change, replacement: change.replacement && { ...change.replacement, ...fresh[0] } }
    default:
      return change
  }
}
