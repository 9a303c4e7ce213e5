import type { Shape } from '../../domain/datastore/changes/index.ts'
import { sagas } from '../../sagas/index.ts'
import type { Things } from './estate.ts'
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
