// limit: 2400 s
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createInsistently, order, removed, removeInsistently, started } from '../support/datastores.ts'
import { deployedInput, newInput } from '../support/examples.ts'
import { type RunningInstance, startInstance } from '../support/instance.ts'
import { allUp, isWhole, killedAtEveryStep, pointsOf, SERVICES } from '../support/killed-services.ts'
import { leftOf, rebuiltDiffers, tracesOf } from '../support/leftovers.ts'

const crashes = suite('a service killed at every step of a job')

const JOB_WITHIN_MS = 120_000
const SIZE = 2

let instance: RunningInstance

crashes.after(async () => {
  await instance?.down()
})

// A test of its own, because nothing would be told of an error in a hook.
crashes('every service comes up as a process of its own', async () => {
  instance = await startInstance({ separate: true })
  await allUp(instance)
})

/** Deploys a datastore and deletes it, with the victim killed at every step of both. */
const survives = async (victim: string, cloud: string): Promise<void> => {
  const beganMs = performance.now()
  let datastoreId = ''
  const deploying = await killedAtEveryStep(instance, victim, async () => {
    datastoreId = await createInsistently(instance.api, order({ name: victim, size: SIZE, cloud }))
    await started(instance.api, datastoreId, JOB_WITHIN_MS)
  })
  assert.equal(deploying, pointsOf('deploy-datastore', newInput(SIZE)))
  await allUp(instance)
  await isWhole(instance, datastoreId, SIZE)
  const traces = await tracesOf(instance, datastoreId)
  const deleting = await killedAtEveryStep(instance, victim, async () => {
    await removeInsistently(instance.api, datastoreId)
    await removed(instance.api, datastoreId, JOB_WITHIN_MS)
  })
  assert.equal(deleting, pointsOf('delete-datastore', deployedInput(SIZE)))
  await allUp(instance)
  assert.equal(await leftOf(instance, traces), [])
  const { differences } = await rebuiltDiffers(instance)
  assert.equal(differences, [])
  const seconds = ((performance.now() - beganMs) / 1000).toFixed(1)
  console.log(`${victim}, ${cloud}: ${deploying.length + deleting.length} kills, ${seconds} s`)
}

for (const victim of SERVICES) {
  crashes(`${victim}: the datastore is deployed and deleted all the same`, () => survives(victim, 'local'))
}

crashes('ccx-deployer: so it is where machines are network namespaces', async () => {
  const provider = instance.providers().find(({ capabilities }) => capabilities.has('own-network'))
  const reason = provider === undefined ? 'there is no such provider' : await provider.unavailable()
  if (reason === undefined) await survives('ccx-deployer', 'netns')
  else console.log(`SKIPPED, network namespaces: ${reason}`)
})

crashes.run()
