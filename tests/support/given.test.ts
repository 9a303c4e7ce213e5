import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Decider, Event } from '../../domain/kernel/decider.ts'
import { reject } from '../../domain/kernel/decider.ts'
import { deepFreeze, given } from './given.ts'

const test = suite('given, when, then')

type Added = Event<'Added', { readonly name: string; readonly at?: string | undefined }>
type Add = { readonly type: 'Add'; readonly data: { readonly name: string } }
type Names = { readonly names: Set<string>; readonly order: string[] }

const names = (evolve: (state: Names, event: Added) => Names): Decider<Add, Added, Names, 'nameless'> => ({
  initial: { names: new Set(), order: [] },
  decide: ({ data }, state) => {
    if (data.name === '') return reject('nameless', 'a name is needed')
    return state.names.has(data.name) ? [] : [{ type: 'Added', data }]
  },
  evolve,
})
const sound = names((state, { data }) => ({ names: new Set([...state.names, data.name]), order: [...state.order, data.name] }))

const fails = (specification: () => void): boolean => {
  try {
    specification()
    return false
  } catch {
    return true
  }
}
const add = (name: string): Add => ({ type: 'Add', data: { name } })
const added = (name: string): Added => ({ type: 'Added', data: { name } })

test('a sound decider passes', () => {
  given(sound).when(add('a')).then(added('a'))
  given(sound, added('a')).when(add('a')).thenNothing()
  given(sound).when(add('')).thenRejected('nameless')
})

test('another event, no event or a refusal where events were expected fails', () => {
  assert.ok(fails(() => given(sound).when(add('a')).then(added('b'))))
  assert.ok(fails(() => given(sound).when(add('a')).thenNothing()))
  assert.ok(fails(() => given(sound).when(add('')).then(added(''))))
  assert.ok(fails(() => given(sound).when(add('a')).thenRejected('nameless')))
})

test('an evolve that changes a set or a list of the state it was given fails', () => {
  const changesSet = names((state, { data }) => ({ ...state, names: state.names.add(data.name) }))
  const changesList = names((state, { data }) => {
    state.order.push(data.name)
    return state
  })
  assert.ok(fails(() => given(changesSet, added('a')).when(add('b')).then(added('b'))))
  assert.ok(fails(() => given(changesList, added('a')).when(add('b')).then(added('b'))))
})

test('an event that would not be read back as it was written fails', () => {
  const gone: Added = { type: 'Added', data: { name: 'a', at: undefined } }
  assert.ok(fails(() => given({ ...sound, decide: () => [gone] }).when(add('a')).then(gone)))
})

test('a map is closed to its last leaf', () => {
  const map = deepFreeze(new Map([['a', { deep: { b: 1 } }]]))
  assert.throws(() => map.set('c', { deep: { b: 2 } }), /frozen collection/)
  assert.ok(Object.isFrozen(map.get('a')?.deep))
})

test.run()
