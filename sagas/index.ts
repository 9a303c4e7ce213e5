import type { Sagas } from '../domain/job/saga.ts'
import { deleteDatastore } from './delete-datastore.ts'
import { deployDatastore } from './deploy-datastore.ts'

/** Every kind of job and its plan. */
export const sagas: Sagas = {
  'deploy-datastore': deployDatastore,
  'delete-datastore': deleteDatastore,
}
