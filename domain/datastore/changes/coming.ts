import type { NodePlan } from '../spec.ts'
import type { Change } from './index.ts'

/** The nodes that a change brings. */
export const comingBy = (change: Change | undefined): readonly NodePlan[] => {
  switch (change?.kind) {
    case 'add-nodes':
      return change.nodes
    case 'repair-node':
    case 'upgrade-node':
      return change.replacement === null ? [] : [change.replacement]
    default:
      return []
  }
}

/** The ids of the nodes that a change takes away. */
export const goingBy = (change: Change): readonly string[] => {
  switch (change.kind) {
    case 'remove-nodes':
      return change.nodeIds
    case 'repair-node':
    case 'upgrade-node':
      return change.replacement === null ? [] : [change.nodeId]
    default:
      return []
  }
}
