import { projection } from './projection.ts'
import type { ParameterGroupRow } from './parameter-rows.ts'

/** One row per parameter group that is not deleted; its name and description sealed. */
export const parameterGroups = projection<ParameterGroupRow>({
  name: 'parameter-groups',
  version: 1,
  table: 'parameter_groups',
  key: 'group_id',
  columns: {
    group_id: 'text',
    owner_id: 'text',
    name: 'text',
    description: 'text',
    vendor: 'text',
    version: 'text',
    type: 'text',
    parameters: 'json',
    created_at: 'time',
    updated_at: 'time',
  },

  types: ['ParameterGroupCreated', 'ParameterGroupChanged', 'ParameterGroupDeleted'],

  keys({ type, data }) {
    switch (type) {
      case 'ParameterGroupCreated':
      case 'ParameterGroupChanged':
      case 'ParameterGroupDeleted':
        return [data.groupId]
      default:
        return []
    }
  },

  apply(row, { type, data }) {
    if (type === 'ParameterGroupCreated') {
      const { groupId, ownerId, name, description, vendor, version, type: kind, values, at } = data
      const ids = { group_id: groupId, owner_id: ownerId }
      const times = { created_at: at, updated_at: at }
      return { ...ids, name, description, vendor, version, type: kind, parameters: values, ...times }
    }
    if (row === undefined || type === 'ParameterGroupDeleted') return undefined
    if (type !== 'ParameterGroupChanged') return row
    const { name = row.name, description = row.description, values = row.parameters, at } = data
    return { ...row, name, description, parameters: values, updated_at: at }
  },
})
