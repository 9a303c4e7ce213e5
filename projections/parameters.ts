import type { ChangeParameters } from '../domain/datastore/changes/parameters.ts'
import { projection } from './projection.ts'
import type { ParametersRow } from './parameter-rows.ts'

type Chosen = ParametersRow['applied']

const chosenIn = ({ groupId, values }: Pick<ChangeParameters, 'groupId' | 'values'>): Chosen => ({
  group_id: groupId,
  parameters: values,
})

const waitsNot = ({ waiting }: ParametersRow, jobId: string): ParametersRow['waiting'] =>
  waiting.filter((one) => one.job_id !== jobId)

/** One row per datastore that is not deleted: the parameters its servers have, and those they are to have. */
export const parameters = projection<ParametersRow>({
  name: 'parameters',
  version: 1,
  table: 'parameters',
  key: 'datastore_id',
  columns: {
    datastore_id: 'text',
    owner_id: 'text',
    applied: 'json',
    waiting: 'json',
    failed: 'json',
    updated_at: 'time',
  },

  types: ['DatastoreCreated', 'DatastoreDeleted', 'JobQueued', 'DatastoreChanged', 'ChangeAbandoned'],

  keys({ type, data }) {
    switch (type) {
      case 'DatastoreCreated':
      case 'DatastoreDeleted':
        return [data.datastoreId]
      case 'JobQueued':
      case 'DatastoreChanged':
      case 'ChangeAbandoned':
        return data.change?.kind === 'change-parameters' ? [data.datastoreId] : []
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'DatastoreCreated') {
      const { datastoreId, spec, at } = data
      const applied = chosenIn(spec.parameters ?? { groupId: null, values: {} })
      return { datastore_id: datastoreId, owner_id: spec.ownerId, applied, waiting: [], failed: null, updated_at: at }
    }
    if (row === undefined || type === 'DatastoreDeleted') return undefined
    switch (type) {
      case 'JobQueued': {
        const { jobId, change, at } = data
        if (change?.kind !== 'change-parameters') return row
        return { ...row, waiting: [...waitsNot(row, jobId), { job_id: jobId, ...chosenIn(change) }], updated_at: at }
      }
      case 'DatastoreChanged': {
        const { jobId, change, at } = data
        if (change.kind !== 'change-parameters') return row
        return { ...row, applied: chosenIn(change), waiting: waitsNot(row, jobId), failed: null, updated_at: at }
      }
      case 'ChangeAbandoned': {
        const { jobId, change, because, at } = data
        if (change.kind !== 'change-parameters') return row
        return { ...row, waiting: waitsNot(row, jobId), failed: { ...chosenIn(change), because }, updated_at: at }
      }
      default:
        return row
    }
  },
})
