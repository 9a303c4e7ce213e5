import type { Known } from '../../command-handlers/datastore-tools.ts'
import type { Change, FreshNode } from '../../domain/datastore/changes/index.ts'
import { planned } from '../../domain/datastore/datastore.ts'
import { planUpgrade, upgradeDueInWindow, upgradeOrder } from '../../domain/datastore/upgrade.ts'

/** Something that is done to a datastore when its maintenance window is open. */
export type WaitsForWindow = {
  /** The ids of its jobs derive from it, so it stays as it is. */
  readonly name: string
  /** Null in the read model where nobody wants it; where it is not, the datastore itself says what is wanted. */
  readonly column: 'upgrade_in_window'
  /**
   * What is wanted, in order; asked again after each one that was taken.
   *
   * @param fresh ids for new nodes, others for each subject
   * @returns `subject` tells the changes of one window apart: each is asked for once
   */
  readonly wanted: (
    state: Known,
    fresh: (subject: string, count: number) => readonly FreshNode[],
  ) => readonly { readonly subject: string; readonly change: Change }[]
}

const upgrade: WaitsForWindow = {
  name: 'upgrade',
  column: 'upgrade_in_window',
  wanted: (state, fresh) => {
    const { built } = state
    const shape = planned(state)
    const count = shape.spec.nodes.length + 1
    return upgradeOrder(shape, upgradeDueInWindow(shape.spec, built), built).flatMap(({ nodeId: subject }) =>
      planUpgrade(shape, [subject], built, fresh(subject, count)).map((change) => ({ subject, change })),
    )
  },
}

/** All that waits for a window: one line each. */
export const inWindow: readonly WaitsForWindow[] = [upgrade]
