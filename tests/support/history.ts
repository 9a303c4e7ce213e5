import { due } from '../../domain/job/job.ts'
import type { Order, OrderOutcome, OrderResult } from '../../domain/job/orders.ts'
import type { EventStore, Revision } from '../../domain/kernel/event-store.ts'
import { later } from '../../domain/kernel/time.ts'
import { electedBy } from './saga-world.ts'
import { exampleSpec } from './examples.ts'
import { changeSomething, lose } from './history-changes.ts'
import { convene, lockOut } from './history-organisations.ts'
import { type Append, sendJob, sendStore, type World, world } from './history-world.ts'
import { sealed } from './personal-data.ts'

export type { Append } from './history-world.ts'

const OWNERS = ['own_1', 'own_2', 'own_3']

const resultOf = ({ subject, body }: Order, count: number): OrderResult => {
  switch (subject) {
    case 'infra.create-machine':
      return { privateAddress: `10.0.${count >> 8}.${count & 255}`, machineId: `m-${count}` }
    case 'infra.allocate-address':
      return { publicAddress: `203.0.${count >> 8}.${count & 255}` }
    case 'cmon.bootstrap-primary':
      return { roles: { [body.nodeId]: 'primary' } }
    case 'cmon.join-replica':
      return { roles: { [body.nodeId]: 'replica' } }
    case 'cmon.fence-node':
      return { fencedBy: count % 3 === 0 ? 'powered-off' : 'server-stopped' }
    case 'cmon.elect-primary':
      return electedBy(body)
    case 'cmon.check-cluster': {
      const roleOf = (nodeId: string) => (nodeId === body.primaryId ? 'primary' : 'replica')
      return { roles: Object.fromEntries(body.cluster.nodes.map(({ nodeId }) => [nodeId, roleOf(nodeId)])) }
    }
    default:
      return {}
  }
}

const create = (own: World, n: number): void => {
  const { seed, clock, roll, pick } = own
  const datastoreId = `clu_${seed}_${n}`
  const spec = exampleSpec(1 + Math.floor(roll() * 3))
  const nodes = spec.nodes.map((node) => ({ ...node, nodeId: `${datastoreId}_${node.nodeId}` }))
  const full = { ...spec, ownerId: pick(OWNERS) ?? '', nodes }
  const data = { datastoreId, jobId: `job_${seed}_${++clock.count}`, spec: full, fingerprint: 'f', now: clock.now }
  sendStore(own, { type: 'CreateDatastore', data })
}

const remove = (own: World): void => {
  const datastoreId = own.pick(own.stores.ids())
  const jobId = `job_${own.seed}_${++own.clock.count}`
  if (datastoreId === undefined) return
  sendStore(own, { type: 'DeleteDatastore', data: { datastoreId, jobId, now: own.clock.now } })
}

const answer = (own: World): void => {
  const { roll, orders, clock } = own
  const [ordered] = orders.splice(Math.floor(roll() * orders.length), 1)
  if (ordered === undefined) return
  const { jobId, step, key, attempt, course, order } = ordered
  const outcome = { orderId: 'o', jobId, at: clock.now, step, key, attempt, course }
  const say = (kind: Kind): void =>
    sendJob(own, { type: 'RecordOutcome', data: { jobId, outcome: { ...outcome, ...kind }, now: clock.now } })
  if (roll() < 0.2) say({ kind: 'noted', line: `working on ${key}` })
  if (order.subject === 'cmon.join-replica') say({ kind: 'noted', line: 'half of it', figure: 50 })
  if (roll() < 0.93) return say({ kind: 'succeeded', result: resultOf(order, ++clock.count) })
  // The rest are never answered and time out.
  if (roll() < 0.7) say({ kind: 'failed', because: 'it did not work', final: roll() < 0.2 })
}

const passTime = (own: World): void => {
  const { pick, jobs, clock } = own
  const jobId = pick(jobs.ids())
  const at = jobId === undefined ? undefined : due(jobs.state(jobId))
  if (jobId === undefined || at === undefined) return
  sendJob(own, { type: 'PassTime', data: { jobId, now: at > clock.now ? at : clock.now } })
}

const admit = ({ seed, accounts, clock }: World, n: number): void => {
  const about = { accountId: `acc_${seed}_${n}`, now: clock.now }
  const clientId = `cli_${seed}_${n}`
  const names = { login: sealed(`User${seed}.${n}@Example.com`), firstName: sealed('A'), lastName: sealed('B') }
  const himself = n % 2 === 1 ? { toConfirm: true as const, terms: ['PrivacyPolicyV1'] } : {}
  const external = n === 2 ? { external: { issuer: 'portal', subject: sealed(`project-${seed}`) } } : {}
  const person = { ...names, isAdmin: n === 0, ...himself, ...external }
  accounts.send(about.accountId, { type: 'RegisterAccount', data: { ...about, ...person } })
  accounts.send(about.accountId, { type: 'CreateClient', data: { ...about, clientId, name: sealed('tf'), expiresAt: null } })
  accounts.send(about.accountId, { type: 'ConfirmLogin', data: about })
  accounts.send(about.accountId, { type: 'ChangePassword', data: { ...about, by: n % 2 === 0 ? 'mail' : 'password' } })
  accounts.send(about.accountId, { type: 'RotateClient', data: { ...about, clientId, previousUntil: clock.now } })
  if (n % 2 === 0) accounts.send(about.accountId, { type: 'RevokeClient', data: { ...about, clientId } })
  accounts.send(about.accountId, { type: 'OpenEventStream', data: about })
  if (n % 3 === 0) accounts.send(about.accountId, { type: 'CloseEventStream', data: about })
}

const subscribe = ({ seed, webhooks, clock }: World, n: number): void => {
  const webhookId = `whk_${seed}_${n}`
  const about = { webhookId, now: clock.now }
  const wanted = { organisationId: OWNERS[n] ?? '', url: sealed('https://example.com'), description: null, secretId: 'sec_1' }
  webhooks.send(webhookId, { type: 'CreateWebhook', data: { ...about, ...wanted, filters: { types: [], subjects: [] } } })
  webhooks.send(webhookId, { type: 'ChangeWebhook', data: { ...about, types: ['dev.ccx.job.*'] } })
  webhooks.send(webhookId, { type: 'RotateWebhookSecret', data: { ...about, secretId: 'sec_2' } })
  webhooks.send(webhookId, { type: 'PauseWebhook', data: { ...about, because: 'failing' } })
  if (n > 0) webhooks.send(webhookId, { type: 'ResumeWebhook', data: about })
  webhooks.send(webhookId, { type: 'ReplayWebhook', data: { ...about, cursor: 'start' } })
  webhooks.send(webhookId, { type: 'ReplayDeadLetter', data: { ...about, eventId: 'evt_1' } })
  if (n > 1) webhooks.send(webhookId, { type: 'DeleteWebhook', data: about })
}

const group = ({ seed, groups, clock }: World, n: number): void => {
  const ownerId = `own_${seed}_${n}`
  const about = { ownerId, groupId: `grp_${seed}_${n}`, now: clock.now }
  const kind = { vendor: 'vendor-a', version: '2', type: 'replication' }
  const words = { name: sealed(`group ${n}`), nameId: `name_${seed}_${n}`, description: null }
  groups.send(ownerId, { type: 'CreateParameterGroup', data: { ...about, ...words, ...kind, values: { timeout: '1' } } })
  groups.send(ownerId, { type: 'ChangeParameterGroup', data: { ...about, values: { slots: '2' }, description: sealed('d') } })
  groups.send(ownerId, { type: 'ChangeParameterGroup', data: { ...about, name: sealed('other'), nameId: `other_${seed}_${n}` } })
  if (n === 0) return
  groups.send(ownerId, { type: 'ChooseParameterGroup', data: { ...about, datastoreId: `clu_${seed}_0`, jobId: 'job_0' } })
  if (n > 1) groups.send(ownerId, { type: 'DeleteParameterGroup', data: { ...about, free: ['job_0'] } })
}

/**
 * A random life of a control plane, made by the real deciders and sagas: datastores come and go, steps succeed, are
 * remarked upon, fail, time out, are cancelled and unwound, settings and nodes are changed, and much of it is still under way at
 * the end.
 *
 * @param seed the same seed gives the same history; another one has nothing in common with it
 * @param size.datastores how many are created
 * @param size.moves how many things happen in all
 */
export const randomHistory = (seed: number, { datastores, moves }: {
  readonly datastores: number
  readonly moves: number
}): readonly Append[] => {
  const own = world(seed)
  const { roll, clock, reactions, orders, appends } = own
  for (let n = 0; n < 5; n++) admit(own, n)
  for (let n = 0; n < 3; n++) subscribe(own, n)
  for (let n = 0; n < 3; n++) group(own, n)
  for (let n = 0; n < 4; n++) convene(own, n)
  for (let n = 0; n < 5; n++) lockOut(own, n)
  let created = 0
  for (let n = 0; n < moves; n++) {
    clock.now = later(clock.now, Math.floor(roll() * 900))
    const chance = roll()
    if (reactions.length > 0 && chance < 0.4) reactions.shift()?.()
    else if (created < datastores && (orders.length === 0 || chance < 0.45)) create(own, created++)
    else if (chance > 0.99) remove(own)
    else if (chance > 0.96) changeSomething(own)
    else if (chance > 0.953) lose(own)
    else if (chance > 0.9 || orders.length === 0) passTime(own)
    else answer(own)
  }
  return appends
}

type Place = 'orderId' | 'jobId' | 'at' | 'step' | 'key' | 'attempt' | 'course'
type Omitted<O> = O extends OrderOutcome ? Omit<O, Place> : never
type Kind = Omitted<OrderOutcome>

/** Writes histories, or one part of them after the other, into a store. */
export const writer = (store: Pick<EventStore, 'append'>) => {
  const revisions = new Map<string, Revision>()
  return async (appends: readonly Append[]): Promise<void> => {
    for (const { stream, events } of appends) {
      const { revision } = await store.append(stream, events, { expected: revisions.get(stream) ?? 'absent' })
      revisions.set(stream, revision)
    }
  }
}
