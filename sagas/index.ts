import type { Sagas } from '../domain/job/saga.ts'
import { addNodes } from './add-nodes.ts'
import { changeVolumeType } from './change-volume-type.ts'
import { changeParameters } from './change-parameters.ts'
import { createDatabase, dropDatabase } from './databases.ts'
import { deleteDatastore } from './delete-datastore.ts'
import { deployDatastore } from './deploy-datastore.ts'
import { failOver } from './fail-over.ts'
import { growVolumes } from './grow-volumes.ts'
import { applyFirewall } from './firewall.ts'
import { startDatastore, stopDatastore } from './power.ts'
import { promoteReplica } from './promote-replica.ts'
import { rebootNode } from './reboot-node.ts'
import { rejoinNode } from './rejoin-node.ts'
import { removeNodes } from './remove-nodes.ts'
import { repairNode, upgradeNode } from './replace-node.ts'
import { resizeInstances } from './resize-instances.ts'
import { changeAdmin, changeUser, createUser, dropUser } from './users.ts'
import { setReadOnly } from './set-read-only.ts'
import { setSynchronous } from './set-synchronous.ts'

/** Every kind of job and its plan. */
export const sagas: Sagas = {
  'deploy-datastore': deployDatastore,
  'delete-datastore': deleteDatastore,
  'add-nodes': () => addNodes,
  'remove-nodes': () => removeNodes,
  'promote-replica': () => promoteReplica,
  'grow-volumes': growVolumes,
  'change-volume-type': changeVolumeType,
  'set-read-only': setReadOnly,
  'reboot-node': rebootNode,
  'resize-instances': resizeInstances,
  'repair-node': repairNode,
  'upgrade-node': upgradeNode,
  'change-parameters': changeParameters,
  'create-database': createDatabase,
  'drop-database': dropDatabase,
  'create-user': createUser,
  'change-user': changeUser,
  'drop-user': dropUser,
  'change-admin': () => changeAdmin,
  'apply-firewall': applyFirewall,
  'stop-datastore': () => stopDatastore,
  'start-datastore': () => startDatastore,
  'fail-over': failOver,
  'rejoin-node': () => rejoinNode,
  'set-synchronous': setSynchronous,
}
