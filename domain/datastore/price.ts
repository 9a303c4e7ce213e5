import type { Catalogue } from '../catalogue/catalogue.ts'
import type { DatastoreSpec } from './spec.ts'

const HOURS_OF_MONTH = 730
/** Below what anybody bills: hides what binary fractions leave over. */
const PARTS_OF_ONE = 1_000_000

/**
 * What the nodes and volumes of a datastore cost by today's catalogue; of one that is stopped, the volumes alone.
 *
 * @returns per hour, in the catalogue's currency; undefined where the catalogue has no price for a part of it any more
 */
export const pricePerHour = (
  { clouds }: Catalogue,
  { cloud: code, nodes, volume, stopped = false }: Pick<DatastoreSpec, 'cloud' | 'nodes' | 'volume' | 'stopped'>,
): number | undefined => {
  const cloud = clouds.find((one) => one.code === code)
  const volumeType = cloud?.volumes.find((one) => one.code === volume.type)
  if (cloud === undefined || volumeType === undefined) return undefined
  const volumePrice = (volumeType.pricePerGibMonth * volume.sizeGib) / HOURS_OF_MONTH
  const prices = nodes.map(({ instance }) => cloud.instances.find((one) => one.code === instance.code)?.pricePerHour)
  const known = prices.filter((price) => price !== undefined)
  if (known.length < prices.length) return undefined
  const sum = known.reduce((total, price) => total + (stopped ? 0 : price) + volumePrice, 0)
  return Math.round(sum * PARTS_OF_ONE) / PARTS_OF_ONE
}
