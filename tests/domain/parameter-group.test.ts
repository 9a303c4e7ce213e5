import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { GROUPS_MAX, parameterGroups } from '../../domain/parameter-group/parameter-group.ts'
import type { CreateParameterGroup, ParameterGroupCommand, ParameterGroupEvent } from '../../domain/parameter-group/messages.ts'
import { refusalOf } from '../../domain/datastore/changes/index.ts'
import { exampleNodes, exampleSpec, noon } from '../support/examples.ts'
import { sealed } from '../support/personal-data.ts'

const test = suite('parameter groups')

const about = { ownerId: 'own_1', groupId: 'grp_1' }
const making = (differing: Partial<CreateParameterGroup['data']> = {}): CreateParameterGroup => ({
  type: 'CreateParameterGroup',
  data: {
    ...about, name: sealed('fast'), nameId: 'fast', description: null,
    vendor: 'vendor-a', version: '2', type: 'replication', values: { timeout: '5' }, now: noon, ...differing,
  },
})

/** What a command leads to after others. */
const after = (commands: readonly ParameterGroupCommand[]) => {
  const stateOf = (events: readonly ParameterGroupEvent[]) => events.reduce(parameterGroups.evolve, parameterGroups.initial)
  const events = commands.reduce<readonly ParameterGroupEvent[]>((past, command) => {
    const decision = parameterGroups.decide(command, stateOf(past))
    if ('rejected' in decision) throw new Error(decision.because)
    return [...past, ...decision]
  }, [])
  return (command: ParameterGroupCommand) => {
    const decision = parameterGroups.decide(command, stateOf(events))
    if ('rejected' in decision) return decision.rejected
    return decision.map(({ type: event, data }) => {
      const { at, ...rest } = data
      assert.is(at, noon)
      return { event, ...rest }
    })
  }
}

const choosing = (datastoreId: string, jobId: string): ParameterGroupCommand => ({
  type: 'ChooseParameterGroup',
  data: { ...about, datastoreId, jobId, now: noon },
})
const deleting = (...free: readonly string[]): ParameterGroupCommand => ({
  type: 'DeleteParameterGroup',
  data: { ...about, free, now: noon },
})
const changing = (change: object): ParameterGroupCommand => ({
  type: 'ChangeParameterGroup',
  data: { ...about, ...change, now: noon },
})

test('are made once, however often they are asked for', () => {
  const { now: at, ...data } = making().data
  assert.is(at, noon)
  assert.equal(after([])(making()), [{ event: 'ParameterGroupCreated', ...data }])
  assert.equal(after([making()])(making()), [])
})

test('of one owner have names of their own', () => {
  const second = making({ groupId: 'grp_2' })
  assert.is(after([making()])(second), 'parameter-group-name-taken')
  const renamed = { name: sealed('slow'), nameId: 'slow' }
  assert.is(after([making(), making({ groupId: 'grp_2', nameId: 'slow' })])(changing(renamed)), 'parameter-group-name-taken')
  assert.equal(after([making()])(changing(renamed)), [{ event: 'ParameterGroupChanged', ...about, ...renamed }])
  assert.ok(Array.isArray(after([making(), changing(renamed)])(second)), 'a name that is given up is free')
  assert.ok(Array.isArray(after([making(), deleting()])(second)), 'and so is that of a group that is deleted')
})

test('are so many and no more', () => {
  const all = Array.from({ length: GROUPS_MAX }, (_, n) => making({ groupId: `grp_${n}`, nameId: `name ${n}` }))
  assert.is(after(all)(making({ groupId: 'one more', nameId: 'one more' })), 'parameter-group-limit-reached')
})

test('change only in what is other than before', () => {
  const values = { timeout: '5' }
  assert.equal(after([making()])(changing({ values })), [])
  assert.equal(after([making()])(changing({ name: sealed('again'), nameId: 'fast' })), [])
  assert.equal(after([making()])(changing({ values: {} })), [{ event: 'ParameterGroupChanged', ...about, values: {} }])
  assert.equal(after([making()])(changing({ description: sealed('why') })), [
    { event: 'ParameterGroupChanged', ...about, description: sealed('why') },
  ])
})

test('are not deleted while a datastore may have them', () => {
  const chosen = [making(), choosing('clu_1', 'job_1'), choosing('clu_2', 'job_2')]
  assert.is(after(chosen)(deleting('job_1')), 'parameter-group-in-use')
  assert.equal(after(chosen)(deleting('job_1', 'job_2')), [{ event: 'ParameterGroupDeleted', ...about }])
  assert.is(after([...chosen, choosing('clu_1', 'job_3')])(deleting('job_1', 'job_2')), 'parameter-group-in-use')
  assert.equal(after(chosen)(choosing('clu_1', 'job_1')), [])
})

test('that are not there are neither changed, nor chosen, nor deleted', () => {
  for (const command of [changing({}), choosing('clu_1', 'job_1'), deleting()]) {
    assert.is(after([])(command), 'parameter-group-not-found')
    assert.is(after([making(), deleting()])(command), 'parameter-group-not-found')
  }
})

test('give their new values only to a datastore that has them still', () => {
  const spec = { ...exampleSpec(1), parameters: { groupId: 'grp_1', values: {} } }
  const change = { kind: 'change-parameters', values: {}, restarts: [], replicaNeeds: {}, ofItsGroup: true } as const
  const shape = { spec, nodes: exampleNodes(1) }
  assert.is(refusalOf(shape, { ...change, groupId: 'grp_1' }), undefined)
  assert.is(refusalOf(shape, { ...change, groupId: 'grp_2' })?.rejected, 'parameter-group-not-assigned')
})

test.run()
