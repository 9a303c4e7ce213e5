import * as assert from 'uvu/assert'
import type { JobInput, JobKind } from '../../domain/datastore/messages.ts'
import { keysOf } from '../../domain/job/saga.ts'
import { sagas } from '../../sagas/index.ts'
import { type Point, watchPoints } from './crash-points.ts'
import { nodesOf, withSql } from './datastores.ts'
import { addressesOf } from './dns-client.ts'
import { fullestPlan } from './every-plan.ts'
import type { RunningInstance } from './instance.ts'
import { processesAt } from './processes.ts'
import { until } from './until.ts'

/** What can be killed of an instance whose services are processes of their own. */
export const SERVICES = [
  'ccx-runner-service', 'ccx-deployer', 'cmon-master', 'ccx-projector', 'ccx-rest', 'event-store', 'nats', 'postgres',
  'mariadb', 'dns',
] as const

const RUNNER = 'ccx-runner-service'
/** A child that ends before that is kept away for longer and longer. */
const RECOVERED_MS = 1_000

/** Every crash point of a job of that kind that is given this; if it is not said what, of the fullest there is. */
export const pointsOf = (kind: JobKind, input: JobInput = fullestPlan(kind).input): readonly string[] =>
  sagas[kind](input).steps.flatMap((step) => (keysOf(step, { input, learned: { nodes: {} } }).length > 0 ? [step.name] : []))

const hasRecovered = (instance: RunningInstance, name: string): boolean =>
  instance.isUp(name) && instance.ageMs(name) > RECOVERED_MS

/**
 * Kills the victim at each step while `job` is at work. A victim that has not recovered yet when a step begins is
 * waited for, and no step after that one begins before: until then the runner is halted.
 *
 * @returns the steps at which it was killed
 */
export const killedAtEveryStep = async (
  instance: RunningInstance,
  victim: string,
  job: () => Promise<void>,
): Promise<readonly string[]> => {
  const killed: string[] = []
  let tail: Promise<void> = Promise.resolve()
  const kill = async ({ step }: Point): Promise<void> => {
    const halts = !hasRecovered(instance, victim)
    if (halts) await instance.kill(RUNNER, 'SIGSTOP')
    try {
      await until(() => hasRecovered(instance, victim), { withinMs: 60_000, what: `${victim} being up` })
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

/** Exactly so many nodes as were asked for, and a database that replicates. */
export const isWhole = async (instance: RunningInstance, datastoreId: string, size: number): Promise<void> => {
  const { api, providers, dnsPort } = instance
  const held = (await Promise.all(providers().map((provider) => provider.list(datastoreId)))).flat()
  const count = (kind: string) => held.filter((resource) => resource.kind === kind).length
  assert.equal(
    { networks: count('network'), machines: count('machine'), volumes: count('volume'), addresses: count('address') },
    { networks: 1, machines: size, volumes: size, addresses: size },
  )
  const nodes = await until(async () => {
    const found = await nodesOf(api, datastoreId)
    return found.length === size ? found : undefined
  }, { withinMs: 10_000, what: 'the nodes' })
  assert.equal(nodes.map(({ role }) => `${role}`).toSorted(), ['primary', ...Array.from({ length: size - 1 }, () => 'replica')])
  for (const { host_uuid: nodeId } of nodes) {
    const servers = processesAt(nodeId).filter(({ command }) => command.includes(' -D '))
    assert.is(servers.length, 1, `database servers of ${nodeId}`)
  }
  const addressOf = (role: string) => nodes.flatMap((node) => (node.role === role ? (node.private_ip ?? []) : []))
  const [primary, replica] = [`${datastoreId}.ccx.test`, `replica.${datastoreId}.ccx.test`]
  const limit = { withinMs: 20_000 }
  await until(() => addressesOf({ port: dnsPort }, primary), { ...limit, what: 'the name server' })
  assert.equal(await addressesOf({ port: dnsPort }, primary), addressOf('primary'))
  assert.equal((await addressesOf({ port: dnsPort }, replica)).toSorted(), addressOf('replica').toSorted())
  for (const { fqdn, private_ip: address } of nodes) assert.equal(await addressesOf({ port: dnsPort }, fqdn), [address])
  await withSql(instance, api, datastoreId, async (sql) => {
    await sql('create table if not exists kept (line text)', { host: primary })
    await sql(`delete from kept; insert into kept values ('kept')`, { host: primary })
    const read = () => sql('select line from kept', { host: replica })
    await until(async () => (await read()) === 'kept', { ...limit, what: 'the row on the replica' })
  })
}

/** Waits until every service is up again. */
export const allUp = (instance: RunningInstance) =>
  until(() => SERVICES.every((name) => instance.isUp(name)), { withinMs: 60_000, what: 'everything up again' })
