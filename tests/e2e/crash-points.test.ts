// limit: 2400 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { JobKind } from '../../domain/datastore/messages.ts'
import { fullestPlan } from '../support/every-plan.ts'
import { type Point, watchPoints } from '../support/crash-points.ts'
import {
  createInsistently, nodesOf, order, removed, removeInsistently, started, withSql,
} from '../support/datastores.ts'
import { addressesOf } from '../support/dns-client.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'
import { processesAt } from '../support/processes.ts'
import { until } from '../support/until.ts'

const crashes = suite('a service killed at every step of a job')

const VICTIMS = [
  'ccx-runner-service', 'ccx-deployer', 'cmon-master', 'ccx-projector', 'ccx-rest', 'event-store', 'nats', 'postgres',
  'mariadb', 'dns',
] as const
const RUNNER = 'ccx-runner-service'
const JOB_WITHIN_MS = 120_000
const SIZE = 2
/** A child that ends before that is kept away for longer and longer. */
const RECOVERED_MS = 1_000

let instance: RunningInstance

crashes.after(async () => {
  await instance?.down()
})

/** Every crash point of a job of that kind. */
const pointsOf = (kind: JobKind): readonly string[] => fullestPlan(kind).saga.steps.map(({ name }) => name)

const hasRecovered = (name: string): boolean => instance.isUp(name) && instance.ageMs(name) > RECOVERED_MS

/**
 * Kills the victim at each step while `job` is at work. A victim that has not recovered yet when a step begins is
 * waited for, and no step after that one begins before: until then the runner is halted.
 *
 * @returns the steps at which it was killed
 */
const killedAtEveryStep = async (victim: string, job: () => Promise<void>): Promise<readonly string[]> => {
  const killed: string[] = []
  let tail: Promise<void> = Promise.resolve()
  const kill = async ({ step }: Point): Promise<void> => {
    const halts = !hasRecovered(victim)
    if (halts) await instance.kill(RUNNER, 'SIGSTOP')
    try {
      await until(() => hasRecovered(victim), { withinMs: 60_000, what: `${victim} being up` })
      await instance.kill(victim)
      killed.push(step)
    } catch (cause) {
      throw new Error(`${victim} is not there to be killed at ${step}`, { cause })
    } finally {
      if (halts) await instance.kill(RUNNER, 'SIGCONT')
    }
  }
  const watch = await watchPoints(instance, victim === 'nats' ? 'log' : 'broker', (point) => {
    tail = tail.then(() => kill(point))
    return tail
  })
  try {
    await Promise.race([job(), watch.failed])
    await tail
  } catch (cause) {
    // Of a failed test nothing but the message is shown.
    console.log(cause)
    throw new Error(`with ${victim} killed at: ${killed.join(', ')}`, { cause })
  } finally {
    await watch.close()
  }
  return killed
}

/** Exactly the asked-for nodes, and a database that replicates. */
const isWhole = async (datastoreId: string): Promise<void> => {
  const { api, providers, dnsPort } = instance
  const held = (await Promise.all(providers().map((provider) => provider.list(datastoreId)))).flat()
  const count = (kind: string) => held.filter((resource) => resource.kind === kind).length
  assert.equal(
    { networks: count('network'), machines: count('machine'), volumes: count('volume'), addresses: count('address') },
    { networks: 1, machines: SIZE, volumes: SIZE, addresses: SIZE },
  )
  const nodes = await until(async () => {
    const found = await nodesOf(api, datastoreId)
    return found.length === SIZE ? found : undefined
  }, { withinMs: 10_000, what: 'the nodes' })
  assert.equal(nodes.map(({ role }) => `${role}`).toSorted(), ['primary', 'replica'])
  for (const { host_uuid: nodeId } of nodes) {
    const servers = processesAt(nodeId).filter(({ command }) => command.includes(' -D '))
    assert.is(servers.length, 1, `database servers of ${nodeId}`)
  }
  const addressOf = (role: string) => nodes.flatMap((node) => (node.role === role ? (node.private_ip ?? []) : []))
  const [primary, replica] = [`${datastoreId}.ccx.test`, `replica.${datastoreId}.ccx.test`]
  const limit = { withinMs: 20_000 }
  await until(() => addressesOf({ port: dnsPort }, primary), { ...limit, what: 'the name server' })
  assert.equal(await addressesOf({ port: dnsPort }, primary), addressOf('primary'))
  assert.equal(await addressesOf({ port: dnsPort }, replica), addressOf('replica'))
  for (const { fqdn, private_ip: address } of nodes) assert.equal(await addressesOf({ port: dnsPort }, fqdn), [address])
  await withSql(instance, api, datastoreId, async (sql) => {
    await sql(`create table kept (line text); insert into kept values ('kept')`, { host: primary })
    const read = () => sql('select line from kept', { host: replica })
    await until(async () => (await read()) === 'kept', { ...limit, what: 'the row on the replica' })
  })
}

const allUp = () =>
  until(() => VICTIMS.every((name) => instance.isUp(name)), { withinMs: 60_000, what: 'everything up again' })

// A test of its own, because nothing would be told of an error in a hook.
crashes('every service comes up as a process of its own', async () => {
  instance = await startInstance({ separate: true })
  await allUp()
})

/** Deploys a datastore and deletes it, with the victim killed at every step of both. */
const survives = async (victim: string, cloud: string): Promise<void> => {
  const beganMs = performance.now()
  let datastoreId = ''
  const deploying = await killedAtEveryStep(victim, async () => {
    datastoreId = await createInsistently(instance.api, order({ name: victim, size: SIZE, cloud }))
    await started(instance.api, datastoreId, JOB_WITHIN_MS)
  })
  assert.equal(deploying, pointsOf('deploy-datastore'))
  await allUp()
  await isWhole(datastoreId)
  const traces = await tracesOf(instance, datastoreId)
  const deleting = await killedAtEveryStep(victim, async () => {
    await removeInsistently(instance.api, datastoreId)
    await removed(instance.api, datastoreId, JOB_WITHIN_MS)
  })
  assert.equal(deleting, pointsOf('delete-datastore'))
  await allUp()
  assert.equal(await leftOf(instance, traces), [])
  const { differences } = await rebuiltDiffers(instance)
  assert.equal(differences, [])
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1)
  console.log(`${victim}, ${cloud}: ${deploying.length + deleting.length} kills, ${seconds} s`)
}

for (const victim of VICTIMS) {
  crashes(`${victim}: the datastore is deployed and deleted all the same`, () => survives(victim, 'local'))
}

crashes('ccx-deployer: so it is where machines are network namespaces', async () => {
  const provider = instance.providers().find(({ capabilities }) => capabilities.has('own-network'))
  const reason = provider === undefined ? 'there is no such provider' : await provider.unavailable()
  if (reason === undefined) await survives('ccx-deployer', 'netns')
  else console.log(`SKIPPED, network namespaces: ${reason}`)
})

crashes.run()
