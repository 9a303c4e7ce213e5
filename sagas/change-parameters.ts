import type { ChangeParameters } from '../domain/datastore/changes/parameters.ts'
import type { JobInput } from '../domain/datastore/messages.ts'
import type { Downtime, Facts, Saga, Step } from '../domain/job/saga.ts'
import { clusterOf } from './cluster.ts'
import { nodesIn, primaryOf } from './members.ts'
import { checkStep } from './nodes.ts'

type Wanted = Pick<ChangeParameters, 'groupId' | 'values' | 'restarts' | 'replicaNeeds'>

const wantedOf = ({ change }: JobInput): Wanted => {
  if (change?.kind !== 'change-parameters') throw new Error('BUG: a change of parameters says which')
  return change
}

/** The facts as they are once the parameters are changed. */
const after = (facts: Facts): Facts => {
  const { groupId, values } = wantedOf(facts.input)
  return { ...facts, input: { ...facts.input, spec: { ...facts.input.spec, parameters: { groupId, values } } } }
}

/**
 * Whether servers are started anew, and whether replicas are once more, since the primary has less than before. The same values
 * again put right what has drifted, and that may take a restart.
 */
const effectOf = (input: JobInput): { readonly rolling: boolean; readonly lowers: boolean } => {
  const { values, restarts, replicaNeeds } = wantedOf(input)
  const before = input.spec.parameters?.values ?? {}
  const least = (of: typeof values, [name, unchosen]: readonly [string, number]): number => Number(of[name] ?? unchosen)
  const differs = [...new Set([...Object.keys(before), ...Object.keys(values)])].filter((name) => before[name] !== values[name])
  return {
    rolling: differs.length === 0 || differs.some((name) => restarts.includes(name)),
    lowers: Object.entries(replicaNeeds).some((need) => least(values, need) < least(before, need)),
  }
}

const applyStep = (name: string, title: string, keys: (facts: Facts) => readonly string[], restart: boolean): Step => {
  const orderBy = (as: (facts: Facts) => Facts) => (facts: Facts, nodeId: string) =>
    ({
      subject: 'cmon.apply-parameters',
      body: { cluster: clusterOf(as(facts)), nodeId, primaryId: primaryOf(facts), restart },
    }) as const
  return {
    name, title, keys,
    does: orderBy(after),
    undo: orderBy((facts) => facts),
    timeoutMs: restart ? 300_000 : 60_000, attemptsMax: 3, backoffMs: 1_000,
  }
}

/**
 * One node after the other, so that only the primary's restart is felt; in place, since it is shorter than a switchover, in
 * which the primary stops as well and its name has to follow. A replica needs at least what its primary has of some: where there
 * is more of them the replicas come first, which they do; where there is less they can have it only after the primary, in a
 * second round. Until then the engine lets them keep what they need.
 */
const rolling = (input: JobInput): readonly Step[] => {
  const primary = primaryOf({ input, learned: { nodes: {} } })
  const named = input.spec.nodes.map(({ nodeId, name }) => ({ nodeId, name }))
  const replicas = named.filter(({ nodeId }) => nodeId !== primary)
  const only = (nodeId: string) => () => [nodeId]
  return [
    ...replicas.map(({ nodeId, name }, n) =>
      applyStep(`replica-${n + 1}`, `Apply them to the replica ${name}, with a restart where needed`, only(nodeId), true)),
    ...named.filter(({ nodeId }) => nodeId === primary).map(({ name }) =>
      applyStep('primary', `Apply them to the primary ${name}, with a pause of writes where needed`, only(primary), true)),
    ...(effectOf(input).lowers
      ? replicas.map(({ nodeId, name }, n) =>
          applyStep(`follow-up-${n + 1}`, `Let the replica ${name} have less as well, with a restart`, only(nodeId), true))
      : []),
  ]
}

/** The only node that there is serves nobody while it restarts. */
const downtimeOf = (input: JobInput): Downtime => {
  if (!effectOf(input).rolling) return 'none'
  return input.spec.nodes.length > 1 ? 'write-pause' : 'down'
}

/** Every server with the parameters that were asked for; where one of them refuses, all go back to what they had. */
export const changeParameters = (input: JobInput): Saga => ({
  kind: 'change-parameters',
  title: 'Change parameters',
  downtime: downtimeOf(input),
  steps: [
    { ...checkStep(primaryOf), name: 'ready', title: 'Check that every node is fit for it', timeoutMs: 20_000, attemptsMax: 2 },
    ...(effectOf(input).rolling
      ? rolling(input)
      : [applyStep('apply', 'Have every server read its parameters anew', nodesIn, false)]),
    {
      name: 'cluster',
      title: 'Tell the controller of them',
      does: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(after(facts)) } }),
      undo: (facts) => ({ subject: 'cmon.register-cluster', body: { cluster: clusterOf(facts) } }),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
    checkStep(primaryOf),
  ],
})
