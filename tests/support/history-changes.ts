import type { Change } from '../../domain/datastore/changes/index.ts'
import type { Datastore } from '../../domain/datastore/datastore.ts'
import type { Settings } from '../../domain/datastore/messages.ts'
import { exampleSpec } from './examples.ts'
import { exampleDatabase, exampleUser } from './examples-access.ts'
import { loseSomething } from './history-losses.ts'
import { sendStore, type World } from './history-world.ts'
import { sealed } from './personal-data.ts'

const NODES_MAX = 5
const FULL = 'the volume of db-1 is 91 % full'

type Living = { readonly datastoreId: string; readonly state: Exclude<Datastore, { readonly status: 'absent' }> }

/** Those that are there, or were. */
const known = ({ stores }: World): readonly Living[] =>
  stores.ids().flatMap((datastoreId) => {
    const state = stores.state(datastoreId)
    return state.status === 'absent' ? [] : [{ datastoreId, state }]
  })

/** One that can be changed, if there is any. */
const living = (own: World): Living | undefined =>
  own.pick(known(own).filter(({ state: { status } }) => status === 'running' || status === 'deploying'))

const changeSettings = (own: World, { datastoreId }: Living): void => {
  const { roll, clock } = own
  const email = sealed(`${++clock.count}@example.com`)
  const settings: Settings = {
    ...(roll() < 0.4 ? { name: sealed(`orders ${clock.count}`) } : {}),
    ...(roll() < 0.4 ? { tags: [sealed(`tag ${clock.count}`)] } : {}),
    ...(roll() < 0.4 ? { notifications: { enabled: roll() < 0.5, emails: [email] } } : {}),
    maintenance: { dayOfWeek: 1 + Math.floor(roll() * 7), startHour: 2, endHour: 4 },
  }
  sendStore(own, { type: 'ChangeSettings', data: { datastoreId, settings, now: clock.now } })
}

const send = (own: World, datastoreId: string, change: Change): void => {
  const jobId = `job_${own.seed}_${++own.clock.count}`
  sendStore(own, { type: 'ChangeDatastore', data: { datastoreId, jobId, change, now: own.clock.now } })
}

const addNodes = (own: World, { datastoreId }: Living): void => {
  const nodes = exampleSpec(1 + Math.floor(own.roll() * 2)).nodes.map((node) => {
    const count = ++own.clock.count
    return { ...node, nodeId: `${datastoreId}_nod_${count}`, name: `db-${count}` }
  })
  send(own, datastoreId, { kind: 'add-nodes', nodes, nodesMax: NODES_MAX })
}

const removeNodes = (own: World, { datastoreId, state }: Living): void => {
  const node = own.pick(state.spec.nodes)
  if (node !== undefined) send(own, datastoreId, { kind: 'remove-nodes', nodeIds: [node.nodeId] })
}

const replaceNode = (own: World, { datastoreId, state }: Living): void => {
  const node = own.pick(state.spec.nodes)
  if (node === undefined) return
  const count = ++own.clock.count
  const another = { ...node, nodeId: `${datastoreId}_nod_${count}`, name: `db-${count}` }
  const kind = own.roll() < 0.5 ? 'repair-node' : 'upgrade-node'
  send(own, datastoreId, { kind, nodeId: node.nodeId, replacement: kind === 'repair-node' && own.roll() < 0.2 ? null : another })
}

/** What is to be done when the maintenance window opens. */
const wishUpgrade = (own: World, { datastoreId, state: { spec: { maintenance } } }: Living): void => {
  const { now } = own.clock
  const settings: Settings = { maintenance, upgradeInWindow: own.roll() < 0.7 ? now : null }
  sendStore(own, { type: 'ChangeSettings', data: { datastoreId, settings, now } })
}

const resize = (own: World, { datastoreId }: Living): void => {
  const ramGb = own.pick([1, 2, 4]) ?? 2
  send(own, datastoreId, { kind: 'resize-instances', instance: { code: `size-${ramGb}`, cpu: 2, ramGb } })
}

const changeParameters = (own: World, { datastoreId }: Living): void => {
  const count = ++own.clock.count
  const values = { ...(own.roll() < 0.5 ? { slots: `${count}` } : {}), timeout: `${count}` }
  const groupId = own.roll() < 0.5 ? null : `grp_${own.seed}_0`
  send(own, datastoreId, { kind: 'change-parameters', groupId, values, restarts: ['slots'], replicaNeeds: { slots: 0 } })
}

const actOnNode = (own: World, { datastoreId, state }: Living): void => {
  const node = own.pick(state.spec.nodes)
  if (node === undefined) return
  send(own, datastoreId, { kind: own.roll() < 0.6 ? 'promote-replica' : 'reboot-node', nodeId: node.nodeId })
}

const changeVolumes = (own: World, { datastoreId, state }: Living): void => {
  const { volume, readOnly = false } = state.spec
  const { roll } = own
  const sizeGib = volume.sizeGib + Math.floor(roll() * 20)
  const chance = roll()
  if (chance < 0.4) {
    return send(own, datastoreId, { kind: 'grow-volumes', sizeGib, sizeGibMax: 100, ...(roll() < 0.5 ? {} : { because: FULL }) })
  }
  if (chance > 0.7) return send(own, datastoreId, { kind: 'set-read-only', readOnly: !readOnly, because: FULL })
  const kind = { type: roll() < 0.5 ? 'fast' : 'slow', sizeGib, iops: roll() < 0.5 ? null : 3000 }
  send(own, datastoreId, { kind: 'change-volume-type', volume: kind, sizeGibMax: 100 })
}

const trustOrRevoke = (own: World, { datastoreId, state: { spec } }: Living): void => {
  const { roll, clock } = own
  const about = { datastoreId, jobId: `job_${own.seed}_${++clock.count}`, now: clock.now }
  const known = own.pick(spec.trusted ?? [])
  if (known !== undefined && roll() < 0.5) {
    return sendStore(own, { type: 'RevokeSources', data: { ...about, ruleIds: [known.ruleId] } })
  }
  const number = Math.floor(roll() * 4)
  const source = { ruleId: `rul_${number}`, source: sealed(`192.0.2.${number}`), description: sealed('office') }
  sendStore(own, { type: 'TrustSources', data: { ...about, sources: [source] } })
}

/** Whether writes wait for a replica, and what else is done when a node is lost. */
const chooseAvailability = (own: World, { datastoreId, state: { spec: { maintenance } } }: Living): void => {
  const { roll, clock } = own
  if (roll() < 0.6) return send(own, datastoreId, { kind: 'set-synchronous', synchronous: roll() < 0.6 })
  const prefer = roll() < 0.5 ? 'consistency' : 'availability'
  const highAvailability = { prefer, repairAfterSeconds: 300, lagMaxBytes: 1_000_000, failoversPerHourMax: 3 } as const
  sendStore(own, { type: 'ChangeSettings', data: { datastoreId, settings: { maintenance, highAvailability }, now: clock.now } })
}

/** Loses a node of one that runs, or whoever takes the place of one that is lost; or what is missed is found well. */
export const lose = (own: World): void => {
  const isMissed = ({ failover, primacy }: Living['state']): boolean => failover !== null || primacy.lostSince !== null
  const isLikely = (state: Living['state']): boolean => state.nodes.length > 1 || isMissed(state) || own.roll() < 0.1
  const running = known(own).filter(({ state }) => state.status === 'running' && isLikely(state))
  const found = own.pick(running.filter(({ state }) => isMissed(state) && own.roll() < 0.7))
    ?? (own.roll() < 0.6 ? running[0] : own.pick(running))
  if (found !== undefined) loseSomething(own, found.datastoreId, found.state)
}

const power = (own: World, { datastoreId }: Living): void =>
  send(own, datastoreId, { kind: own.roll() < 0.4 ? 'stop-datastore' : 'start-datastore' })

const stopJob = (own: World): void => {
  const job = own.pick(known(own).flatMap(({ datastoreId, state }) => state.queue.map(({ jobId }) => ({ datastoreId, jobId }))))
  if (job === undefined) return
  const data = { ...job, because: 'its owner wants it so', now: own.clock.now }
  sendStore(own, { type: 'StopJob', data })
}

/** A job that came to nothing is asked for again; mostly of a datastore that never came up. */
const retryJob = (own: World): void => {
  const over = known(own).flatMap(({ datastoreId, state }) =>
    [...state.past].flatMap(([retried, { end }]) => (end === 'finished' ? [] : [{ datastoreId, state, retried }])),
  )
  const found = own.pick(over.filter(({ state }) => state.status === 'deploy-failed')) ?? own.pick(over)
  if (found === undefined) return
  const { datastoreId, retried } = found
  const jobId = `job_${own.seed}_${++own.clock.count}`
  const fresh = Array.from({ length: NODES_MAX }, () => ++own.clock.count).map((n) => ({
    nodeId: `${datastoreId}_nod_${n}`,
    name: `db-${n}`,
  }))
  sendStore(own, { type: 'RetryJob', data: { datastoreId, jobId, retried, fresh, now: own.clock.now } })
}

/** Databases and users come, change and go; some have names that are taken, or are gone already. */
const actOnAccess = (own: World, { datastoreId, state: { spec } }: Living): void => {
  const count = ++own.clock.count
  const [database, user] = [own.pick(spec.databases ?? []), own.pick(spec.users ?? [])]
  const chance = own.roll()
  if (chance < 0.2) send(own, datastoreId, { kind: 'change-admin', vaultId: `vlt_${count}` })
  else if (chance < 0.4) {
    send(own, datastoreId, { kind: 'create-database', database: exampleDatabase(`d${count % 5}`, user ?? null) })
  } else if (chance < 0.6) {
    const known = database === undefined ? [] : [database]
    send(own, datastoreId, { kind: 'create-user', user: exampleUser(`u${count % 5}`, known) })
  } else if (chance < 0.7 && database !== undefined) {
    send(own, datastoreId, { kind: 'drop-database', databaseId: database.databaseId, name: database.name })
  } else if (user !== undefined) {
    const { userId, name, logins } = user
    const old = logins.map((login) => ({ ...login, until: own.clock.now }))
    const next = { slot: 'second', vaultId: `vlt_${count}`, until: null } as const
    send(
      own,
      datastoreId,
      chance < 0.85 ? { kind: 'change-user', userId, to: { logins: [...old, next] } } : { kind: 'drop-user', userId, name },
    )
  }
}

/** Operators stop the admission of jobs somewhere, or open it again. */
const stopAdmission = ({ seed, installations, roll, clock }: World): void => {
  const scope = roll() < 0.5 ? ({ kind: 'all' } as const) : ({ kind: 'region', name: 'region-a' } as const)
  const about = { scope, now: clock.now }
  const stop = { ...about, because: 'the region is being rebuilt', deletions: roll() < 0.5 }
  const stops = roll() < 0.5
  installations.send(`jobs_${seed}`, stops ? { type: 'StopAdmission', data: stop } : { type: 'OpenAdmission', data: about })
}

/** Changes one of the datastores: its settings, or its nodes by a job; or stops a job. Some of it is refused. */
export const changeSomething = (own: World): void => {
  const chance = own.roll()
  if (chance > 0.99) return stopAdmission(own)
  if (chance > 0.97) return retryJob(own)
  if (chance > 0.85) return stopJob(own)
  const found = living(own)
  if (found === undefined) return
  if (chance < 0.08) trustOrRevoke(own, found)
  else if (chance < 0.14) power(own, found)
  else if (chance < 0.18) changeSettings(own, found)
  else if (chance < 0.2) wishUpgrade(own, found)
  else if (chance < 0.42) addNodes(own, found)
  else if (chance < 0.54) removeNodes(own, found)
  else if (chance < 0.57) chooseAvailability(own, found)
  else if (chance < 0.62) resize(own, found)
  else if (chance < 0.65) replaceNode(own, found)
  else if (chance < 0.7) changeVolumes(own, found)
  else if (chance < 0.76) changeParameters(own, found)
  else if (chance < 0.8) actOnNode(own, found)
  else actOnAccess(own, found)
}
