import { type ParameterValues, sameValues } from '../catalogue/parameters.ts'
import { type Decider, type Decision, reject } from '../kernel/decider.ts'
import type { Sealed } from '../kernel/sealed.ts'
import type { Instant } from '../kernel/time.ts'
import type {
  ChangeParameterGroup,
  CreateParameterGroup,
  ParameterGroupChanged,
  ParameterGroupCommand,
  ParameterGroupEvent,
  ParameterGroupRejection,
} from './messages.ts'

export const GROUPS_MAX = 100

/** The latest choice of a group for a datastore. */
export type Choice = { readonly jobId: string; readonly at: Instant }

export type ParameterGroup = {
  readonly name: Sealed
  readonly nameId: string
  readonly description: Sealed | null
  readonly vendor: string
  readonly version: string
  readonly type: string
  readonly values: ParameterValues
  /** By datastore. One of these may have another group by now, or be gone: its own stream tells. */
  readonly chosenFor: Readonly<Record<string, Choice>>
}

/** One owner's groups, by id, so that no two of them can have the same name. */
export type ParameterGroups = { readonly status: 'known'; readonly groups: Readonly<Record<string, ParameterGroup>> }

type Decided = Decision<ParameterGroupEvent, ParameterGroupRejection>

/** The parameter groups of one owner. */
export const parameterGroups: Decider<
  ParameterGroupCommand,
  ParameterGroupEvent,
  ParameterGroups,
  ParameterGroupRejection
> = {
  initial: { status: 'known', groups: {} },

  decide(command, { groups }) {
    const { ownerId, groupId, now: at } = command.data
    const group = groups[groupId]
    if (command.type === 'CreateParameterGroup') return group === undefined ? create(command.data, groups) : []
    if (group === undefined) return reject('parameter-group-not-found', `there is no parameter group ${groupId}`)
    const about = { ownerId, groupId, at }
    switch (command.type) {
      case 'ChangeParameterGroup':
        return change(command.data, groups, group)
      case 'ChooseParameterGroup': {
        const { datastoreId, jobId } = command.data
        const isChosen = group.chosenFor[datastoreId]?.jobId === jobId
        return isChosen ? [] : [{ type: 'ParameterGroupChosen', data: { ...about, datastoreId, jobId } }]
      }
      case 'DeleteParameterGroup': {
        const user = Object.entries(group.chosenFor).find(([, { jobId }]) => !command.data.free.includes(jobId))
        return user === undefined
          ? [{ type: 'ParameterGroupDeleted', data: about }]
          : reject('parameter-group-in-use', `the datastore ${user[0]} has the parameter group; give it another one first`)
      }
    }
  },

  evolve(state, { type, data }) {
    const { groupId } = data
    const { [groupId]: group, ...others } = state.groups
    if (type === 'ParameterGroupCreated') {
      const { name, nameId, description, vendor, version, type: kind, values } = data
      return holding(others, groupId, { name, nameId, description, vendor, version, type: kind, values, chosenFor: {} })
    }
    if (group === undefined) throw new Error(`BUG: ${type} of a parameter group that is not there`)
    switch (type) {
      case 'ParameterGroupChanged':
        return holding(others, groupId, { ...group, ...changedIn(data) })
      case 'ParameterGroupChosen': {
        const { datastoreId, jobId, at } = data
        return holding(others, groupId, { ...group, chosenFor: { ...group.chosenFor, [datastoreId]: { jobId, at } } })
      }
      case 'ParameterGroupDeleted':
        return { status: 'known', groups: others }
    }
  },
}

type Groups = ParameterGroups['groups']

const holding = (others: Groups, groupId: string, group: ParameterGroup): ParameterGroups => ({
  status: 'known',
  groups: { ...others, [groupId]: group },
})

/** The members of an event that say what was changed. */
const changedIn = ({ name, nameId, description, values }: Omit<ParameterGroupChanged['data'], 'ownerId' | 'groupId' | 'at'>) => ({
  ...(name === undefined ? {} : { name }),
  ...(nameId === undefined ? {} : { nameId }),
  ...(description === undefined ? {} : { description }),
  ...(values === undefined ? {} : { values }),
})

const taken = reject('parameter-group-name-taken', 'name: there is a parameter group of this name already')

const create = ({ now: at, ...data }: CreateParameterGroup['data'], groups: Groups): Decided => {
  if (Object.values(groups).some(({ nameId }) => nameId === data.nameId)) return taken
  return Object.keys(groups).length >= GROUPS_MAX
    ? reject('parameter-group-limit-reached', `an organisation has at most ${GROUPS_MAX} parameter groups`)
    : [{ type: 'ParameterGroupCreated', data: { ...data, at } }]
}

const change = (
  { ownerId, groupId, now: at, ...wanted }: ChangeParameterGroup['data'],
  groups: Groups,
  group: ParameterGroup,
): Decided => {
  const { name, nameId, description, values } = wanted
  const isTaken = Object.entries(groups).some(([id, other]) => id !== groupId && other.nameId === nameId)
  if (nameId !== undefined && isTaken) return taken
  const data = {
    ...(description === undefined ? {} : { description }),
    ...(name === undefined || nameId === undefined || nameId === group.nameId ? {} : { name, nameId }),
    ...(values === undefined || sameValues(values, group.values) ? {} : { values }),
  }
  return Object.keys(data).length === 0 ? [] : [{ type: 'ParameterGroupChanged', data: { ownerId, groupId, at, ...data } }]
}
