import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { LIMITS } from '../../domain/failover/limits.ts'
import { heard, initialMonitor, looked, type Moved } from '../../domain/failover/monitor.ts'
import type { Action, Heard, Known, KnownNode, LookResult, Monitor } from '../../domain/failover/watched.ts'

const test = suite('what is made of looks at a datastore')

const node = (nodeId: string, change: Partial<KnownNode> = {}): KnownNode => ({
  nodeId, name: `db-${nodeId}`, shutDown: false, fenced: false, lastSeenAtMs: 0, positionBytes: null, toldLost: false, ...change,
})
const three: Known = { owned: true, primaryId: 'a', nodes: [node('a'), node('b'), node('c')] }
const alone: Known = { owned: true, primaryId: 'a', nodes: [node('a')] }
const but = (nodeId: string, change: Partial<KnownNode>, known = three): Known => ({
  ...known, nodes: known.nodes.map((one) => (one.nodeId === nodeId ? { ...one, ...change } : one)),
})

const primary: LookResult = { kind: 'answered', role: 'primary', positionBytes: 500, streaming: ['db-b', 'db-c'] }
const replica: LookResult = { kind: 'answered', role: 'replica', positionBytes: 500, streaming: [] }
const dead: LookResult = { kind: 'server-down', server: 'ended' }
const recovering: LookResult = { kind: 'server-down', server: 'refuses' }
const silent: LookResult = { kind: 'silent' }
const no = { answers: false, receivedBytes: 500 }

/** At an instant, in milliseconds: a look at a node, or what replicas say that were asked a moment ago. */
type Step = readonly [number, string, LookResult] | readonly [number, readonly Heard[]]

/** Plays the steps and gives what the last one led to. */
const after = (known: Known, steps: readonly Step[], begun: Monitor = initialMonitor): Moved => {
  let moved: Moved = { monitor: begun, actions: [] }
  for (const step of steps) {
    const [atMs] = step
    moved = step.length === 2
      ? heard(moved.monitor, known, { askedAtMs: atMs, atMs }, step[1])
      : looked(moved.monitor, known, atMs, [{ nodeId: step[1], beganAtMs: atMs, result: step[2] }])
  }
  return moved
}
const types = ({ actions }: Moved): readonly string[] => actions.map(({ type }) => type)
const whole: readonly Step[] = [[0, 'a', primary], [0, 'b', replica], [0, 'c', replica]]
const none: Step = [3_000, [{ nodeId: 'b', said: no }, { nodeId: 'c', said: no }]]
const lost: Action = { type: 'tell-unreachable', primaryId: 'a', lastSeenAtMs: 0, positionBytes: 500, because: 'silent' }

test('a primary among replicas that answers is given time; one that is alone needs none', () => {
  assert.equal(after(three, [[0, 'a', primary]]).actions, [{ type: 'renew-lease', nodeId: 'a' }])
  assert.equal(after(alone, [[0, 'a', primary]]).actions, [])
})

test('of a primary that we have never seen, what others saw of it is told', () => {
  const known = but('a', { lastSeenAtMs: -2_000, positionBytes: 400 }, but('b', { positionBytes: 300 }))
  const unseen: readonly Step[] = [[0, 'a', silent], [0, 'b', replica], [0, 'c', replica], [1_000, 'a', silent], none]
  const told: Action = { ...lost, lastSeenAtMs: -2_000, positionBytes: 400 }
  assert.equal(after(known, unseen).actions, [told])
  // What a replica had received was not seen by us: it may be of long ago.
  const early: Step = [1_000, [{ nodeId: 'b', said: no }, { nodeId: 'c', said: no }]]
  assert.equal(after(known, [[0, 'a', silent], [1_000, 'a', silent], early]).actions, [told])
})

test('a fenced primary is given no time', () => {
  assert.equal(after(but('a', { fenced: true }), [[0, 'a', primary]]).actions, [])
})

test('a server that waits for its lease is given it, unless it is fenced or not the primary', () => {
  const waiting: LookResult = { kind: 'server-down', server: 'waits-for-lease' }
  const twice = (nodeId: string): readonly Step[] => [[1_000, nodeId, waiting], [1_010, nodeId, waiting]]
  assert.equal(types(after(three, [...whole, ...twice('a')])), ['renew-lease', 'look'])
  assert.not(types(after(but('a', { fenced: true }), [...whole, ...twice('a')])).includes('renew-lease'))
  assert.not(types(after(three, [...whole, ...twice('b')])).includes('renew-lease'))
})

test('a missed look is repeated at once, and the replicas are asked about a primary', () => {
  assert.equal(after(three, [...whole, [1_000, 'a', silent]]).actions, [
    { type: 'look', nodeId: 'a', afterMs: 0 },
    { type: 'ask-replicas', primaryId: 'a', replicas: ['b', 'c'] },
  ])
  assert.equal(after(three, [...whole, [1_000, 'b', silent]]).actions, [{ type: 'look', nodeId: 'b', afterMs: 0 }])
})

test('a primary that missed two looks and that no replica hears is told to be lost, with where it was', () => {
  const twice: readonly Step[] = [...whole, [1_000, 'a', silent], [2_000, 'a', silent]]
  assert.equal(types(after(three, twice)), ['ask-replicas'])
  assert.equal(after(three, [...twice, none]).actions, [lost])
})

test('what replicas said after the first missed look counts for the second', () => {
  const early: Step = [1_500, none[1]]
  assert.equal(after(three, [...whole, [1_000, 'a', silent], early]).actions, [])
  assert.equal(after(three, [...whole, [1_000, 'a', silent], early, [2_000, 'a', silent]]).actions, [lost])
})

test('what replicas said of an earlier silence does not count', () => {
  const flapping: readonly Step[] = [
    ...whole, [1_000, 'a', silent], [1_100, 'a', primary], [5_000, 'a', silent], [6_000, 'a', silent],
  ]
  assert.equal(after(three, [...flapping, none]).actions, [])
})

test('a primary that a single replica hears is not lost', () => {
  const twice: readonly Step[] = [...whole, [1_000, 'a', silent], [2_000, 'a', silent]]
  const hears: Step = [3_000, [{ nodeId: 'b', said: no }, { nodeId: 'c', said: { ...no, answers: true } }]]
  const receives: Step = [3_000, [{ nodeId: 'b', said: no }, { nodeId: 'c', said: { ...no, receivedBytes: 501 } }]]
  assert.equal(after(three, [...twice, hears]).actions, [])
  assert.equal(after(three, [...twice, receives]).actions, [])
})

test('when no replica answers it is we who are alone', () => {
  const twice: readonly Step[] = [...whole, [1_000, 'a', silent], [2_000, 'a', silent]]
  const nobody: Step = [3_000, [{ nodeId: 'b', said: undefined }, { nodeId: 'c', said: undefined }]]
  assert.equal(after(three, [...twice, nobody]).actions, [])
  const oneIsLeft: Step = [3_000, [{ nodeId: 'b', said: undefined }, { nodeId: 'c', said: no }]]
  assert.equal(after(three, [...twice, oneIsLeft]).actions, [lost])
})

test('a lost primary is told again while it lasts, and not at every look', () => {
  const told: readonly Step[] = [...whole, [1_000, 'a', silent], [2_000, 'a', silent], none]
  const round = (atMs: number): readonly Step[] => [[atMs, 'a', silent], [atMs + 10, none[1]]]
  assert.equal(after(three, [...told, ...round(4_000)]).actions, [])
  const late = round(3_000 + LIMITS.tellAgainMs['primary-unreachable'])
  assert.equal(after(three, [...told, ...round(4_000), ...late]).actions, [lost])
})

test('a dead server is started where it is at once, and looked at often', () => {
  const twice: readonly Step[] = [...whole, [1_000, 'a', dead], [1_010, 'a', dead]]
  const actions: readonly Action[] = [
    { type: 'restart-in-place', nodeId: 'a' }, { type: 'look', nodeId: 'a', afterMs: LIMITS.againLookMs },
  ]
  assert.equal(after(three, twice).actions, actions)
  assert.equal(after(alone, [[0, 'a', primary], [1_000, 'a', dead], [1_010, 'a', dead]]).actions, actions)
  assert.equal(types(after(three, [...whole, [1_000, 'b', dead], [1_010, 'b', dead]])), ['restart-in-place', 'look'])
})

test('a dead primary that is not back in time is told to be lost', () => {
  const steps: readonly Step[] = [...whole, [1_000, 'a', dead], [1_010, 'a', dead], [1_500, 'a', recovering]]
  assert.equal(types(after(three, steps)), ['renew-lease', 'look'])
  const late: readonly Step[] = [...steps, [1_000 + LIMITS.inPlaceMs, 'a', dead]]
  assert.ok(types(after(three, late)).includes('ask-replicas'))
  const { actions } = after(three, [...late, [4_010, none[1]]])
  assert.equal(actions, [{ ...lost, because: 'server-died' }])
})

test('a server that takes no connection keeps its lease and is not started anew, but is lost when that lasts', () => {
  const busy: readonly Step[] = [...whole, [1_000, 'a', recovering], [1_010, 'a', recovering]]
  assert.equal(types(after(three, busy)), ['renew-lease', 'look'])
  assert.ok(types(after(three, [...busy, [4_000, 'a', recovering]])).includes('ask-replicas'))
})

test('a server that was started where it is and answers is told, with how long it was down', () => {
  const { actions } = after(three, [...whole, [1_000, 'b', dead], [1_010, 'b', dead], [1_700, 'b', replica]])
  assert.equal(actions, [{ type: 'tell-restarted', nodeId: 'b', role: 'replica', downSinceMs: 1_000, backAtMs: 1_700 }])
})

test('a primary that dies for the third time within a minute is lost at once', () => {
  const death = (atMs: number): readonly Step[] => [[atMs, 'a', dead], [atMs + 10, 'a', dead], [atMs + 500, 'a', primary]]
  const twice: readonly Step[] = [...whole, ...death(1_000), ...death(10_000)]
  const third: readonly Step[] = [...twice, [20_000, 'a', dead], [20_010, 'a', dead]]
  assert.not(types(after(three, third)).includes('restart-in-place'))
  const { actions } = after(three, [...third, [20_020, none[1]]])
  assert.equal(actions, [{ ...lost, lastSeenAtMs: 10_500, because: 'keeps-dying' }])
  const later: readonly Step[] = [...twice, [1_000 + LIMITS.deathsWithinMs, 'a', dead], [61_010, 'a', dead]]
  assert.ok(types(after(three, later)).includes('restart-in-place'))
})

test('a single node is started where it is for as long as it takes, and told to be silent', () => {
  const steps: readonly Step[] = [[0, 'a', primary], [1_000, 'a', dead], [1_010, 'a', dead], [4_000, 'a', dead]]
  assert.equal(after(alone, steps).actions, [{ type: 'tell-silent', nodeId: 'a', sinceMs: 1_000, machineAnswers: true }])
  assert.equal(types(after(alone, [...steps, [1_010 + LIMITS.restartAgainMs, 'a', dead]])), ['restart-in-place', 'look'])
})

test('a replica whose machine is silent is told after a while, and again', () => {
  const told = 1_000 + LIMITS.silentAfterMs
  const steps: readonly Step[] = [...whole, [1_000, 'b', silent], [2_000, 'b', silent]]
  assert.equal(after(three, steps).actions, [])
  const then: readonly Step[] = [...steps, [told, 'b', silent]]
  const action: Action = { type: 'tell-silent', nodeId: 'b', sinceMs: 1_000, machineAnswers: false }
  assert.equal(after(three, then).actions, [action])
  assert.equal(after(three, [...then, [told + 1_000, 'b', silent]]).actions, [])
  assert.equal(after(three, [...then, [told + LIMITS.tellAgainMs['node-silent'], 'b', silent]]).actions, [action])
})

test('a fenced node is never started, and told to be back when its machine answers', () => {
  const fenced: Known = { ...but('a', { fenced: true }), primaryId: 'b' }
  const steps: readonly Step[] = [[0, 'b', primary], [1_000, 'a', dead], [1_010, 'a', dead]]
  assert.equal(after(fenced, steps).actions, [])
  assert.equal(after(fenced, [...steps, [1_010 + LIMITS.backAfterMs, 'a', dead]]).actions, [{ type: 'tell-back', nodeId: 'a' }])
})

test('a former primary that takes writes is fenced', () => {
  const former: Known = { ...three, primaryId: 'b' }
  assert.equal(after(former, [[0, 'b', primary], [10, 'a', primary]]).actions, [{ type: 'fence', nodeId: 'a' }])
})

test('where nobody has said who the primary is, nobody is fenced and nothing is given', () => {
  assert.equal(after({ ...three, primaryId: null }, whole).actions, [])
})

test('a replica that does not follow is told to be back after a while, and left alone while it follows', () => {
  const apart: LookResult = { kind: 'answered', role: 'primary', positionBytes: 500, streaming: ['db-c'] }
  const steps: readonly Step[] = [[0, 'a', apart], [10, 'b', replica], [20, 'c', replica]]
  assert.equal(after(three, steps).actions, [])
  assert.equal(after(three, [...steps, [10 + LIMITS.apartAfterMs, 'b', replica]]).actions, [{ type: 'tell-back', nodeId: 'b' }])
  const again: readonly Step[] = [[9_000, 'a', primary], [9_010, 'b', replica], [10 + LIMITS.apartAfterMs, 'b', replica]]
  assert.equal(after(three, [...steps, ...again]).actions, [])
})

test('a replica is not blamed while the primary does not answer', () => {
  const begun: readonly Step[] = [[0, 'a', { ...primary, streaming: [] }], [10, 'b', replica]]
  assert.equal(after(three, [...begun, [5_000, 'a', silent], [20_000, 'b', replica]]).actions, [])
})

test('who is to be silent, and who has never answered, is left alone', () => {
  const died: readonly Step[] = [[1_000, 'b', dead], [1_010, 'b', dead], [60_000, 'b', dead]]
  assert.equal(after(but('b', { shutDown: true }), died).actions, [])
  assert.equal(after(but('b', { lastSeenAtMs: null }), died).actions, [])
  assert.ok(after(three, died).actions.length > 0)
})

test('who was silent on purpose has not been silent when he is to answer again', () => {
  const asleep = after(but('b', { shutDown: true }), [...whole, [1_000, 'b', dead], [60_000, 'b', dead]])
  assert.equal(after(three, [[60_500, 'b', dead]], asleep.monitor).actions, [{ type: 'look', nodeId: 'b', afterMs: 0 }])
})

test('one that was told to be lost, by whomever, is told to be well once it does its part, and not at every look', () => {
  const told: Action = { type: 'tell-well', nodeId: 'a' }
  const first = after(but('a', { toldLost: true }), [[0, 'a', primary]])
  assert.equal(first.actions, [{ type: 'renew-lease', nodeId: 'a' }, told])
  const second = (known: Known, atMs: number) => after(known, [[atMs, 'a', primary]], first.monitor).actions
  assert.not(second(but('a', { toldLost: true }), 1_000).includes(told))
  assert.equal(second(but('a', { toldLost: true }), LIMITS.tellAgainMs['node-well']).at(-1), told)
  assert.equal(types({ ...first, actions: second(three, 60_000) }), ['renew-lease'])
  assert.equal(types(after(but('a', { toldLost: true, fenced: true }), [[0, 'a', primary]])), [])
  const following = after(but('b', { toldLost: true }), [[0, 'a', primary], [10, 'b', replica]])
  assert.equal(following.actions, [{ type: 'tell-well', nodeId: 'b' }])
  const apart: LookResult = { ...replica, kind: 'answered', role: 'primary', streaming: [] }
  assert.equal(after(but('b', { toldLost: true }), [[0, 'a', apart], [10, 'b', replica]]).actions, [])
})

test('a datastore that is not certainly ours is looked at and left alone', () => {
  const theirs = { ...three, owned: false }
  const { monitor, actions } = after(theirs, [...whole, [1_000, 'a', silent], [2_000, 'a', silent], none])
  assert.equal(actions, [])
  assert.is(monitor.nodes['a']?.misses, 2)
})

test.run()
