import { z } from 'zod'
import type { Sealed } from '../../domain/kernel/sealed.ts'
import {
  FENCED_BY, type OrderBodies, type OrderOutcome, type OrderResult, type OrderSubject, type PlacedOrder,
} from '../../domain/job/orders.ts'
import { accessBodies } from './access-messages.ts'

// A member that a newer sender adds is dropped here, not refused: services are upgraded one after the other.

const id = z.string().min(1)
const count = z.number().int().nonnegative()

const Instance = z.object({ code: z.string(), cpu: z.number().positive(), ramGb: z.number().positive() })

const sealed = z.custom<Sealed>((text) => typeof text === 'string')

const NodeRef = z.object({
  nodeId: id,
  name: id,
  hostname: id,
  provider: id,
  // Empty for a node that has none yet, or never got one: what is deleted may never have been deployed.
  address: z.string(),
  port: z.number().int().min(1).max(65_535),
  instance: Instance,
  zone: z.string().exactOptional(),
})

const cluster = z.object({
  datastoreId: id,
  ownerId: id,
  engine: id,
  version: id,
  instance: Instance.exactOptional(),
  volumeGib: z.number().positive().exactOptional(),
  nodes: z.array(NodeRef),
  readOnly: z.boolean().exactOptional(),
  parameters: z.record(z.string(), z.string()).exactOptional(),
  trusted: z.array(sealed).optional(),
  epoch: count.exactOptional(),
  synchronous: z.boolean().exactOptional(),
  repairAfterSeconds: count.exactOptional(),
})

const Names = z.object({ name: id, addresses: z.array(z.string()), ttlSeconds: count })

const firewall = z.object({ ports: z.array(z.int().min(1).max(65_535)), trusted: z.array(sealed).optional() })

const onNode = z.object({ provider: id, datastoreId: id, nodeId: id })
const atNode = z.object({ cluster, nodeId: id })
const prefer = z.enum(['consistency', 'availability'])

const bodies = {
  'infra.create-network': z.object({ provider: id, datastoreId: id, networkId: id, region: z.string() }),
  'infra.delete-network': z.object({ provider: id, datastoreId: id, networkId: id }),
  'infra.create-machine': onNode.extend({
    networkId: id,
    name: id,
    region: z.string(),
    zone: z.string(),
    instance: Instance,
    firewall: firewall.optional(),
  }),
  'infra.delete-machine': onNode,
  'infra.allocate-address': onNode,
  'infra.release-address': onNode,
  'infra.create-volume': onNode.extend({ type: z.string(), sizeGib: z.number().positive(), iops: count.exactOptional() }),
  'infra.check-volume': onNode.extend({ sizeGib: z.number().positive() }),
  'infra.grow-volume': onNode.extend({ sizeGib: z.number().positive() }),
  'infra.change-volume': onNode.extend({ type: id, iops: count.exactOptional() }),
  'infra.delete-volume': onNode,
  'infra.set-firewall': onNode.extend({ firewall }),
  'infra.boot-machine': onNode,
  'infra.resize-machine': onNode.extend({ instance: Instance }),
  'infra.halt-machine': onNode,
  'infra.publish-names': z.object({ datastoreId: id, names: z.array(Names), epoch: count.exactOptional() }),
  'infra.withdraw-names': z.object({ datastoreId: id, names: z.array(id), epoch: count.exactOptional() }),
  'infra.sweep': z.object({ provider: id, datastoreId: id, suffix: id }),
  'cmon.register-cluster': z.object({ cluster }),
  'cmon.forget-cluster': z.object({ cluster }),
  'cmon.install-node': atNode,
  'cmon.bootstrap-primary': atNode,
  'cmon.join-replica': atNode.extend({ primaryId: id }),
  'cmon.configure-node': atNode.extend({ primaryId: id, ifItAnswers: z.literal(true).exactOptional() }),
  'cmon.set-trusted': atNode,
  'cmon.catch-up': atNode.extend({ formerId: id }),
  'cmon.promote-replica': atNode.extend({ positionBytes: count.exactOptional() }),
  'cmon.follow-primary': atNode.extend({ primaryId: id }),
  'cmon.restart-node': atNode.extend({ primaryId: id }),
  'cmon.resume-node': atNode.extend({ primaryId: id }),
  'cmon.apply-parameters': atNode.extend({ primaryId: id, restart: z.boolean() }),
  'cmon.forget-node': atNode.extend({ primaryId: id }),
  'cmon.create-account': atNode.extend({ username: id, database: id, vaultId: id.exactOptional() }),
  ...accessBodies(atNode),
  'cmon.check-cluster': z.object({ cluster, primaryId: id }),
  'cmon.stop-node': atNode,
  'cmon.start-node': atNode,
  'cmon.erase-node': atNode,
  'cmon.revive-node': atNode,
  'cmon.end-writers': atNode,
  'cmon.fence-node': atNode.extend({ prefer }),
  'cmon.unfence-node': atNode,
  'cmon.elect-primary': z.object({
    cluster, lostId: id, synchronous: z.boolean(), prefer, lagMaxBytes: count, lastKnownBytes: count.nullable(),
  }),
  'cmon.rejoin-node': atNode.extend({ primaryId: id }),
} satisfies { readonly [S in OrderSubject]: z.ZodType<OrderBodies[S]> }

const told = <S extends OrderSubject>(subject: S) => z.object({ subject: z.literal(subject), body: bodies[subject] })

const Order = z.discriminatedUnion('subject', [
  told('infra.create-network'),
  told('infra.delete-network'),
  told('infra.create-machine'),
  told('infra.delete-machine'),
  told('infra.allocate-address'),
  told('infra.release-address'),
  told('infra.create-volume'),
  told('infra.check-volume'),
  told('infra.grow-volume'),
  told('infra.change-volume'),
  told('infra.delete-volume'),
  told('infra.set-firewall'),
  told('infra.boot-machine'),
  told('infra.resize-machine'),
  told('infra.halt-machine'),
  told('infra.publish-names'),
  told('infra.withdraw-names'),
  told('infra.sweep'),
  told('cmon.register-cluster'),
  told('cmon.forget-cluster'),
  told('cmon.install-node'),
  told('cmon.bootstrap-primary'),
  told('cmon.join-replica'),
  told('cmon.configure-node'),
  told('cmon.set-trusted'),
  told('cmon.catch-up'),
  told('cmon.promote-replica'),
  told('cmon.follow-primary'),
  told('cmon.restart-node'),
  told('cmon.resume-node'),
  told('cmon.apply-parameters'),
  told('cmon.forget-node'),
  told('cmon.create-account'),
  told('cmon.set-admin'),
  told('cmon.put-database'),
  told('cmon.unmake-database'),
  told('cmon.close-database'),
  told('cmon.open-database'),
  told('cmon.drop-database'),
  told('cmon.put-user'),
  told('cmon.unmake-user'),
  told('cmon.drop-user'),
  told('cmon.check-cluster'),
  told('cmon.stop-node'),
  told('cmon.start-node'),
  told('cmon.erase-node'),
  told('cmon.revive-node'),
  told('cmon.end-writers'),
  told('cmon.fence-node'),
  told('cmon.unfence-node'),
  told('cmon.elect-primary'),
  told('cmon.rejoin-node'),
])

const Place = z.object({
  step: id,
  // Empty for a step that concerns the datastore as a whole.
  key: z.string(),
  attempt: count,
  course: z.enum(['forward', 'back']),
})

/** An order as it travels. */
export const PlacedOrderMessage = Place.extend({
  orderId: id,
  jobId: id,
  datastoreId: id,
  order: Order,
  notAfter: z.iso.datetime(),
  extending: z.object({ byMs: z.number().positive(), until: z.iso.datetime() }).exactOptional(),
}) satisfies z.ZodType<PlacedOrder>

/** What a fulfilled order tells, as it travels and as journals keep it. */
export const ResultMessage = z.object({
  privateAddress: z.string().exactOptional(),
  publicAddress: z.string().exactOptional(),
  machineId: z.string().exactOptional(),
  volumeId: z.string().exactOptional(),
  cidr: z.string().exactOptional(),
  roles: z.record(z.string(), z.enum(['primary', 'replica'])).exactOptional(),
  fencedBy: z.enum(FENCED_BY).exactOptional(),
  elected: id.exactOptional(),
  positions: z.record(z.string(), count).exactOptional(),
}) satisfies z.ZodType<OrderResult>

const answered = Place.extend({ orderId: id, jobId: id, at: z.iso.datetime() })

/** What came of an order, as it travels. */
export const OutcomeMessage = z.discriminatedUnion('kind', [
  answered.extend({ kind: z.literal('noted'), line: z.string(), figure: z.number().nonnegative().exactOptional() }),
  answered.extend({ kind: z.literal('succeeded'), result: ResultMessage }),
  answered.extend({ kind: z.literal('failed'), because: z.string(), final: z.boolean() }),
]) satisfies z.ZodType<OrderOutcome>

/** The message a payload holds, or why it holds none: in one line, and without quoting it. */
export type Decoded<T> = { readonly message: T } | { readonly undecodable: string }

/** Reads a payload without ever throwing. */
export const decoded = <T>(schema: z.ZodType<T>, payload: string): Decoded<T> => {
  let json: unknown
  try {
    json = JSON.parse(payload)
  } catch {
    return { undecodable: 'it is not JSON' }
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return { message: parsed.data }
  const faults = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`)
  return { undecodable: faults.join('; ').slice(0, 500) }
}
