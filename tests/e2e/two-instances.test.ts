// limit: 300 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  createInsistently, datastoreOf, order, removed, removeInsistently, started, withSql,
} from '../support/datastores.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { leftOf, tracesOf } from '../support/leftovers.ts'
import { processesAt } from '../support/processes.ts'

const neighbours = suite('two instances on one machine')

const instances: RunningInstance[] = []

neighbours.after(async () => {
  for (const instance of instances) await instance.down()
})

const deployed = async ({ api }: RunningInstance, name: string): Promise<string> => {
  const uuid = await createInsistently(api, order({ name, size: 1 }))
  await started(api, uuid)
  return uuid
}

const written = async (instance: RunningInstance, uuid: string, statement: string): Promise<string> => {
  let printed = ''
  await withSql(instance, instance.api, uuid, async (sql) => {
    const { primary_url: host } = await datastoreOf(instance.api, uuid)
    assert.ok(host !== null)
    printed = await sql(statement, { host })
  })
  return printed
}

neighbours('one at its end leaves the other at work', async () => {
  // One after the other, because each takes the free ports that it finds.
  for (const separate of [false, false]) instances.push(await startInstance({ separate }))
  const [one, other] = instances
  assert.ok(one !== undefined && other !== undefined)
  const [ofOne, ofOther] = await Promise.all([deployed(one, 'one'), deployed(other, 'other')])
  await written(one, ofOne, 'create table here (line text)')
  await written(other, ofOther, `create table here (line text); insert into here values ('kept')`)
  assert.is((await one.api(`/api/deployment/v3/data-stores/${ofOther}`)).status, 404)

  await one.stop()
  assert.equal(processesAt(one.stateDir), [])
  assert.is(await written(other, ofOther, 'select line from here'), 'kept')
  const another = await deployed(other, 'another')
  for (const uuid of [ofOther, another]) {
    const traces = await tracesOf(other, uuid)
    await removeInsistently(other.api, uuid)
    await removed(other.api, uuid)
    assert.equal(await leftOf(other, traces), [])
  }
  await one.up()
  assert.is((await datastoreOf(one.api, ofOne)).cluster_status, 'STARTED')
})

neighbours.run()
