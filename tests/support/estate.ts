import type { ClusterRef, FirewallRules, Order } from '../../domain/job/orders.ts'
import { onAccess } from './estate-access.ts'

/** Everything that orders have made, by what it is (`machine nod_1`), with what can differ about it. */
export type Things = Readonly<Record<string, string>>

export type Estate = {
  readonly things: () => Things
  /** @throws when the order cannot be carried out on what is there: its plan is at fault */
  readonly carryOut: (order: Order) => void
}

/**
 * The world as orders leave it: each makes, changes or removes its things, and carried out again it changes nothing.
 *
 * @param before what is there already
 */
export const estate = (before: Things = {}): Estate => {
  const own = inventory(before)
  return {
    things: own.things,
    carryOut: (order) => ('cluster' in order.body && 'nodeId' in order.body ? onNode(own, order) : elsewhere(own, order)),
  }
}

const list = (parts: readonly string[]): string => parts.toSorted().join(' ')

const inventory = (before: Things) => {
  const there = new Map(Object.entries(before))
  const has = (kind: string, id: string): boolean => there.has(`${kind} ${id}`)
  const set = (kind: string, id: string, value = 'there'): void => void there.set(`${kind} ${id}`, value)
  return {
    has,
    get: (kind: string, id: string): string | undefined => there.get(`${kind} ${id}`),
    is: (kind: string, id: string, value: string): boolean => there.get(`${kind} ${id}`) === value,
    /** What is one's becomes another's. */
    move: (kind: string, from: string, to: string): void => {
      const value = there.get(`${kind} ${from}`)
      if (value === undefined) return
      there.delete(`${kind} ${from}`)
      set(kind, to, value)
    },
    set,
    alter: (kind: string, id: string, change: (words: readonly string[]) => readonly string[]): void =>
      set(kind, id, change((there.get(`${kind} ${id}`) ?? '').split(' ')).join(' ')),
    remove: (id: string, ...kinds: readonly string[]): void => kinds.forEach((kind) => there.delete(`${kind} ${id}`)),
    /** The size is what a machine's zone is followed by. */
    resize: (nodeId: string, size: string): void => {
      const [zone] = (there.get(`machine ${nodeId}`) ?? '').split(' ')
      set('machine', nodeId, `${zone} ${size}`)
    },
    needs: (kind: string, id: string): void => {
      if (!has(kind, id)) throw new Error(`there is no ${kind} of ${id}`)
    },
    /** For whom a primary keeps what they have not had yet. */
    keep: (nodeId: string, change: (kept: readonly string[]) => readonly string[]): void => {
      const kept = change((there.get(`kept ${nodeId}`) ?? '').split(' ').filter((one) => one !== ''))
      set('kept', nodeId, list([...new Set(kept)]))
    },
    things: (): Things => Object.fromEntries([...there].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}
const speedOf = ({ iops }: { readonly iops?: number }): readonly string[] => (iops === undefined ? [] : [`${iops} IOPS`])

export type Inventory = ReturnType<typeof inventory>

const membersOf = ({ nodes }: ClusterRef): string => list(nodes.map(({ nodeId, address }) => `${nodeId}@${address}`))

const sizesOf = ({ nodes }: ClusterRef): string => list(nodes.map(({ nodeId, instance }) => `${nodeId}: ${instance.code}`))

const otherIds = ({ nodes }: ClusterRef, nodeId: string): readonly string[] =>
  nodes.map((node) => node.nodeId).filter((other) => other !== nodeId)

/** What a server is set up for: the size of its machine, and that of the datastore. */
const settingsOf = ({ nodes, instance }: ClusterRef, nodeId: string): string =>
  `${nodes.find((node) => node.nodeId === nodeId)?.instance.code} among ${instance?.code}`
const trustedBy = ({ trusted }: ClusterRef): string => (trusted === undefined ? 'everybody' : list(trusted))
const filterOf = ({ ports, trusted }: FirewallRules): string =>
  `${ports.join(' ')} for ${trusted === undefined ? 'everybody' : list(trusted)}`

const run = (own: Inventory, cluster: ClusterRef, nodeId: string, primaryId: string): void => {
  own.needs('software', nodeId)
  own.set('settings', nodeId, settingsOf(cluster, nodeId))
  own.set('server', nodeId, 'runs')
  const awaited = cluster.synchronous === true ? ', and waited for' : ''
  const mode = `${cluster.readOnly === true ? ', and only read from' : ''}${awaited}`
  own.set('trusted', nodeId, trustedBy(cluster))
  own.set('members', nodeId, `${membersOf(cluster)}, of which ${primaryId} is followed${mode}`)
  own.set('parameters', nodeId, parametersOf(cluster))
  if (nodeId === primaryId) own.keep(nodeId, () => otherIds(cluster, nodeId))
}

const needsStopped = (own: Inventory, nodeId: string): void => {
  const isDown = own.is('server', nodeId, 'is stopped') || own.is('server', nodeId, 'is fenced')
  if (!isDown) throw new Error(`the server of ${nodeId} runs`)
}

const parametersOf = ({ parameters = {} }: ClusterRef): string =>
  list(Object.entries(parameters).map(([name, value]) => `${name}=${value}`))

const needsPower = (own: Inventory, nodeId: string): void => {
  if (own.is('system', nodeId, 'is off')) throw new Error(`the machine of ${nodeId} is off`)
}

const ON_A_VOLUME = [
  'software', 'trusted', 'settings', 'data', 'server', 'members', 'parameters', 'kept', 'account', 'databases', 'users',
]

const onNode = (own: Inventory, order: Order): void => {
  const { subject, body } = order
  switch (subject) {
    case 'cmon.install-node':
      own.needs('system', body.nodeId)
      return own.set('software', body.nodeId, body.cluster.version)
    case 'cmon.bootstrap-primary':
      own.set('data', body.nodeId)
      return run(own, body.cluster, body.nodeId, body.nodeId)
    case 'cmon.join-replica':
      own.needs('data', body.primaryId)
      own.set('data', body.nodeId)
      own.keep(body.primaryId, (kept) => [...kept, body.nodeId])
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.configure-node':
      own.needs('data', body.nodeId)
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.forget-node':
      own.needs('kept', body.primaryId)
      return own.keep(body.primaryId, (kept) => kept.filter((one) => one !== body.nodeId))
    case 'cmon.set-trusted':
      own.needs('data', body.nodeId)
      needsPower(own, body.nodeId)
      return own.set('trusted', body.nodeId, trustedBy(body.cluster))
    case 'cmon.catch-up':
      own.needs('data', body.nodeId)
      return needsStopped(own, body.formerId)
    case 'cmon.promote-replica':
      own.needs('data', body.nodeId)
      for (const other of otherIds(body.cluster, body.nodeId)) {
        // Whoever keeps something for others is, or was, the primary.
        if (own.has('kept', other)) needsStopped(own, other)
        for (const kind of ['account', 'databases', 'users']) own.move(kind, other, body.nodeId)
      }
      return own.keep(body.nodeId, () => otherIds(body.cluster, body.nodeId))
    case 'cmon.follow-primary':
      own.needs('kept', body.primaryId)
      own.remove(body.nodeId, 'kept')
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.fence-node':
      return own.set('server', body.nodeId, 'is fenced')
    case 'cmon.unfence-node':
      return own.set('server', body.nodeId, 'runs')
    case 'cmon.rejoin-node':
      own.needs('kept', body.primaryId)
      own.remove(body.nodeId, 'kept')
      own.set('data', body.nodeId)
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.apply-parameters':
      own.needs('data', body.nodeId)
      own.needs('data', body.primaryId)
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.restart-node':
    case 'cmon.resume-node':
      return run(own, body.cluster, body.nodeId, body.primaryId)
    case 'cmon.end-writers':
    case 'cmon.revive-node':
      return own.needs('data', body.nodeId)
    case 'cmon.create-account':
      own.needs('data', body.nodeId)
      return own.set('account', body.nodeId, `${body.username} ${body.vaultId ?? 'as it was made'}`)
    case 'cmon.set-admin':
    case 'cmon.put-database':
    case 'cmon.unmake-database':
    case 'cmon.close-database':
    case 'cmon.open-database':
    case 'cmon.drop-database':
    case 'cmon.put-user':
    case 'cmon.unmake-user':
    case 'cmon.drop-user':
      return onAccess(own, order)
    case 'cmon.stop-node':
    case 'cmon.start-node':
      if (subject === 'cmon.start-node') needsPower(own, body.nodeId)
      if (own.has('data', body.nodeId)) own.set('server', body.nodeId, subject === 'cmon.stop-node' ? 'is stopped' : 'runs')
      return
    case 'cmon.erase-node':
      needsPower(own, body.nodeId)
      own.remove(body.nodeId, ...ON_A_VOLUME)
      for (const other of otherIds(body.cluster, body.nodeId)) {
        if (own.has('kept', other)) own.keep(other, (kept) => kept.filter((one) => one !== body.nodeId))
      }
      return
    default:
      throw new Error(`tests/support/estate.ts does not know what ${subject} leaves`)
  }
}

const elsewhere = (own: Inventory, { subject, body }: Order): void => {
  switch (subject) {
    case 'infra.create-network':
      return own.set('network', body.networkId, body.region)
    case 'infra.delete-network':
      return own.remove(body.networkId, 'network')
    case 'infra.create-machine':
      if (body.firewall !== undefined) own.set('filter', body.nodeId, filterOf(body.firewall))
      return own.set('machine', body.nodeId, `${body.zone} ${body.instance.code}`)
    case 'infra.delete-machine':
      return own.remove(body.nodeId, 'machine', 'filter', 'system', ...ON_A_VOLUME)
    case 'infra.allocate-address':
      own.needs('machine', body.nodeId)
      return own.set('address', body.nodeId)
    case 'infra.release-address':
      return own.remove(body.nodeId, 'address')
    case 'infra.create-volume':
      own.needs('machine', body.nodeId)
      return own.set('volume', body.nodeId, [body.type, `${body.sizeGib}`, ...speedOf(body)].join(' '))
    case 'infra.check-volume':
      return own.needs('volume', body.nodeId)
    case 'infra.grow-volume':
      own.needs('volume', body.nodeId)
      return own.alter('volume', body.nodeId, ([type = '', , ...iops]) => [type, `${body.sizeGib}`, ...iops])
    case 'infra.change-volume':
      own.needs('volume', body.nodeId)
      return own.alter('volume', body.nodeId, ([, size = '']) => [body.type, size, ...speedOf(body)])
    case 'infra.delete-volume':
      return own.remove(body.nodeId, 'volume')
    case 'infra.boot-machine':
      own.needs('volume', body.nodeId)
      return own.set('system', body.nodeId)
    case 'infra.resize-machine':
      own.needs('system', body.nodeId)
      return own.resize(body.nodeId, body.instance.code)
    case 'infra.halt-machine':
      if (own.has('system', body.nodeId)) own.set('system', body.nodeId, 'is off')
      return
    case 'infra.set-firewall':
      own.needs('machine', body.nodeId)
      return own.set('filter', body.nodeId, filterOf(body.firewall))
    case 'infra.publish-names':
      return body.names.forEach(({ name, addresses }) => own.set('name', name, list(addresses)))
    case 'infra.withdraw-names':
      return body.names.forEach((name) => own.remove(name, 'name'))
    case 'cmon.register-cluster':
      return own.set(
        'cluster',
        body.cluster.datastoreId,
        [membersOf, sizesOf, parametersOf].map((of) => of(body.cluster)).join('; '),
      )
    case 'cmon.forget-cluster':
      return own.remove(body.cluster.datastoreId, 'cluster')
    case 'infra.sweep':
    case 'cmon.elect-primary':
    case 'cmon.check-cluster':
      return
    default:
      throw new Error(`tests/support/estate.ts does not know what ${subject} leaves`)
  }
}
