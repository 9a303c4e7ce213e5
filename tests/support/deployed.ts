import type { JobInput, JobKind } from '../../domain/datastore/messages.ts'
import type { Shape } from '../../domain/datastore/changes/index.ts'
import { sagas } from '../../sagas/index.ts'
import type { Things } from './estate.ts'
import { shapeAfter, shapeBefore } from './examples.ts'
import { playSaga } from './play-saga.ts'

/** The same with every machine off, after its server was stopped. */
const asleep = (things: Things): Things =>
  Object.fromEntries(
    Object.entries(things).map(([thing, value]) => {
      if (thing.startsWith('system ')) return [thing, 'is off']
      return [thing, thing.startsWith('server ') ? 'is stopped' : value]
    }),
  )

/**
 * What a deployment of a datastore of this shape leaves, whichever way the datastore has come by its shape since. A
 * deployment makes its first node the primary; after a promotion that is another one.
 *
 * @param shape undefined, or without nodes: no datastore
 */
export const deployedThings = (shape: Shape | undefined): Things => {
  if (shape === undefined || shape.spec.nodes.length === 0) return {}
  const { spec, nodes } = shape
  const isPrimary = (nodeId: string): boolean => nodes.some((node) => node.nodeId === nodeId && node.role === 'primary')
  const primaryFirst = spec.nodes.toSorted((a, b) => Number(isPrimary(b.nodeId)) - Number(isPrimary(a.nodeId)))
  const input = { datastoreId: 'clu_1', spec: { ...spec, nodes: primaryFirst }, nodes: [] }
  const things = playSaga({ saga: sagas['deploy-datastore'](input), input }).world.things()
  return spec.stopped === true ? asleep(things) : things
}

/** What a failover leaves: the first other node is the primary, and nobody was to touch the lost one but to fence it. */
const failedOver = (before: Shape, lostId: string): Things => {
  const elected = before.spec.nodes.find(({ nodeId }) => nodeId !== lostId)?.nodeId
  const nodes = before.nodes.map((node) => ({ ...node, role: node.nodeId === elected ? 'primary' : 'replica' } as const))
  const was = deployedThings(before)
  const reached = nodes.filter(({ nodeId }) => nodeId !== lostId && nodeId !== elected).map(({ publicAddress }) => publicAddress)
  const ofLost = Object.entries(was).filter(([thing]) => thing === `members ${lostId}` || thing === `kept ${lostId}`)
  return {
    ...deployedThings({ ...before, nodes }),
    ...Object.fromEntries(ofLost),
    [`server ${lostId}`]: 'is fenced',
    'name replica.clu_1.ccx.test': reached.join(' ') || (was['name replica.clu_1.ccx.test'] ?? ''),
  }
}

/** What a finished job of that kind and input leaves. */
export const thingsAfter = (kind: JobKind, input: JobInput): Things =>
  input.change?.kind === 'fail-over'
    ? failedOver(shapeBefore(input), input.change.lostId)
    : deployedThings(shapeAfter(kind, input))
