import { type DatastoreSpec, nodeHostname, primaryName, replicaName } from '../domain/datastore/spec.ts'
import { highAvailabilityOf } from '../domain/datastore/high-availability.ts'
import type { ClusterRef, Names, NodeRef, Order } from '../domain/job/orders.ts'
import type { Facts } from '../domain/job/saga.ts'

/** The node that a new datastore begins with; the others are copied from it. */
export const firstNode = (facts: Facts): string => {
  const node = facts.input.spec.nodes[0]
  if (node === undefined) throw new Error('BUG: a datastore has at least one node')
  return node.nodeId
}

export const everyNode = (facts: Facts): readonly string[] => facts.input.spec.nodes.map(({ nodeId }) => nodeId)

export const otherNodes = (facts: Facts): readonly string[] => everyNode(facts).slice(1)

/** Whether an earlier job left the node behind, up and with a role. */
export const wasDeployed = ({ input }: Facts, nodeId: string): boolean => input.nodes.some((node) => node.nodeId === nodeId)

/** An address as this job learnt it, else as an earlier one did, else empty: the node has none yet. */
const addressOf = ({ input, learned }: Facts, nodeId: string, kind: 'privateAddress' | 'publicAddress'): string =>
  learned.nodes[nodeId]?.[kind] ?? input.nodes.find((node) => node.nodeId === nodeId)?.[kind] ?? ''

export const clusterOf = (facts: Facts): ClusterRef => {
  const { datastoreId, spec, epoch } = facts.input
  const { ownerId, engine, version, instance, parameters: { values = {} } = {}, trusted } = spec
  const nodes = spec.nodes.map(
    (node): NodeRef => ({
      nodeId: node.nodeId,
      name: node.name,
      hostname: nodeHostname(node, datastoreId, spec.domain),
      provider: spec.provider,
      address: addressOf(facts, node.nodeId, 'privateAddress'),
      port: spec.port,
      instance: node.instance,
      zone: node.zone,
    }),
  )
  const parameters = Object.keys(values).length === 0 ? {} : { parameters: values }
  const mode = spec.readOnly === true ? { readOnly: true } : {}
  const sources = trusted === undefined ? {} : { trusted: trusted.map(({ source }) => source) }
  const volumeGib = spec.volume.sizeGib
  const { synchronous, repairAfterSeconds } = highAvailabilityOf(spec)
  const standby = { ...(epoch === undefined ? {} : { epoch }), ...(synchronous ? { synchronous } : {}), repairAfterSeconds }
  return { datastoreId, ownerId, engine, version, instance, volumeGib, nodes, ...parameters, ...mode, ...sources, ...standby }
}

const named = (spec: DatastoreSpec, name: string, addresses: readonly string[]): Names => ({
  name,
  addresses,
  ttlSeconds: spec.ttlSeconds,
})

const known = (names: readonly Names[]): readonly Names[] =>
  names
    .map((entry) => ({ ...entry, addresses: entry.addresses.filter((address) => address !== '') }))
    .filter(({ addresses }) => addresses.length > 0)

/** The names of these nodes. */
export const namesOf = (facts: Facts, nodeIds: readonly string[]): readonly Names[] => {
  const { datastoreId, spec } = facts.input
  const wanted = spec.nodes.filter(({ nodeId }) => nodeIds.includes(nodeId))
  return known(
    wanted.map((node) =>
      named(spec, nodeHostname(node, datastoreId, spec.domain), [addressOf(facts, node.nodeId, 'publicAddress')]),
    ),
  )
}

export const nodeNames = (facts: Facts): readonly Names[] => namesOf(facts, everyNode(facts))

/** The names that tenants connect to: one follows the primary, the other answers with every replica. */
export const endpointNames = (facts: Facts): readonly Names[] => {
  const { datastoreId, spec, nodes } = facts.input
  const roleOf = (nodeId: string) =>
    facts.learned.nodes[nodeId]?.role ?? nodes.find((node) => node.nodeId === nodeId)?.role
  const addresses = (role: 'primary' | 'replica') =>
    everyNode(facts)
      .filter((nodeId) => roleOf(nodeId) === role)
      .map((nodeId) => addressOf(facts, nodeId, 'publicAddress'))
  return known([
    named(spec, primaryName(datastoreId, spec.domain), addresses('primary')),
    named(spec, replicaName(datastoreId, spec.domain), addresses('replica')),
  ])
}

/** Every job of a datastore leads these names somewhere; the newest decision about them goes before older ones. */
const decided = ({ datastoreId, epoch = 0 }: Facts['input']) => ({ datastoreId, epoch })

export const publishEndpoint = (facts: Facts): Order => ({
  subject: 'infra.publish-names',
  body: { ...decided(facts.input), names: endpointNames(facts) },
})

export const withdrawEndpoint = ({ input }: Facts): Extract<Order, { subject: 'infra.withdraw-names' }> => {
  const { datastoreId, spec: { domain } } = input
  const names = [primaryName(datastoreId, domain), replicaName(datastoreId, domain)]
  return { subject: 'infra.withdraw-names', body: { ...decided(input), names } }
}

/** Of a datastore that never came to be: nothing is kept of who spoke last of its names. */
export const withdrawForGood = (facts: Facts): Order => {
  const { subject, body: { datastoreId, names } } = withdrawEndpoint(facts)
  return { subject, body: { datastoreId, names } }
}

export const withdrawReplicaName = ({ input }: Facts): Order => ({
  subject: 'infra.withdraw-names',
  body: { ...decided(input), names: [replicaName(input.datastoreId, input.spec.domain)] },
})

export const withdrawNames = ({ input: { datastoreId, spec } }: Facts, nodeIds: readonly string[]): Order => {
  const wanted = spec.nodes.filter(({ nodeId }) => nodeIds.includes(nodeId))
  const names = wanted.map((node) => nodeHostname(node, datastoreId, spec.domain))
  return { subject: 'infra.withdraw-names', body: { datastoreId, names } }
}

export const withdrawNodeNames = (facts: Facts): Order => withdrawNames(facts, everyNode(facts))
