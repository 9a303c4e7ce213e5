import type { Facts, Saga, Step } from '../domain/job/saga.ts'
import { clusterOf, everyNode } from './cluster.ts'
import { trustStep } from './firewall.ts'
import { primaryOf } from './members.ts'
import { checkStep, ids } from './nodes.ts'

const primary = (facts: Facts): readonly string[] => [primaryOf(facts)]
const replicas = (facts: Facts): readonly string[] => everyNode(facts).filter((nodeId) => nodeId !== primaryOf(facts))

const server = (subject: 'cmon.start-node' | 'cmon.stop-node') => (facts: Facts, nodeId: string) => ({
  subject, body: { cluster: clusterOf(facts), nodeId },
})
const machine = (subject: 'infra.boot-machine' | 'infra.halt-machine') => (facts: Facts, nodeId: string) => ({
  subject, body: { ...ids(facts), nodeId },
})

type About = Pick<Step, 'name' | 'title' | 'keys'>

const stopStep = (about: About): Step => ({
  ...about,
  does: server('cmon.stop-node'),
  undo: server('cmon.start-node'),
  timeoutMs: 180_000, attemptsMax: 3, backoffMs: 1_000,
})

const startStep = (about: About): Step => ({
  ...about,
  does: server('cmon.start-node'),
  undo: server('cmon.stop-node'),
  timeoutMs: 180_000, attemptsMax: 5, backoffMs: 1_000,
})

/** Machines that are off, on again. */
export const bootAgainStep: Step = {
  name: 'boot',
  title: 'Boot the machines again',
  keys: everyNode,
  does: machine('infra.boot-machine'),
  undo: machine('infra.halt-machine'),
  timeoutMs: 900_000, attemptsMax: 5, backoffMs: 2_000,
}

/** The replicas go first, so that none takes the primary for lost. Names, addresses and volumes stay as they are. */
export const stopDatastore: Saga = {
  kind: 'stop-datastore',
  title: 'Stop the datastore',
  downtime: 'down',
  steps: [
    stopStep({ name: 'replicas', title: 'Stop the replicas', keys: replicas }),
    stopStep({ name: 'primary', title: 'Stop the primary', keys: primary }),
    {
      name: 'halt',
      title: 'Turn the machines off',
      keys: everyNode,
      does: machine('infra.halt-machine'),
      undo: machine('infra.boot-machine'),
      timeoutMs: 120_000, attemptsMax: 3, backoffMs: 1_000,
    },
  ],
}

/** Nobody is served before the firewall of now holds. */
export const startDatastore: Saga = {
  kind: 'start-datastore',
  title: 'Start the datastore',
  downtime: 'none',
  steps: [
    bootAgainStep,
    trustStep,
    startStep({ name: 'primary', title: 'Start the primary', keys: primary }),
    startStep({ name: 'replicas', title: 'Start the replicas', keys: replicas }),
    checkStep(primaryOf),
  ],
}
