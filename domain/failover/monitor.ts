import { LIMITS } from './limits.ts'
import { judged } from './hearsay.ts'
import type { Action, Heard, Known, KnownNode, Looked, LookResult, Monitor, NodeState } from './watched.ts'

/** What a monitor made of something it was told. */
export type Moved = { readonly monitor: Monitor; readonly actions: readonly Action[] }

type Round = {
  readonly known: Known
  readonly atMs: number
  /** Of the known nodes alone, with what was seen at last. */
  readonly states: ReadonlyMap<string, NodeState>
}

export const initialMonitor: Monitor = { nodes: {} }

const UNSEEN: NodeState = {
  lastSeenAtMs: null, misses: 0, machineAnswers: false, positionBytes: null, streaming: [], deathsAtMs: [], toldAtMs: {},
}

/**
 * Takes the results of looks and says what is to be done. Whoever is to be silent, and whoever has never answered, is left alone;
 * while the datastore is not certainly ours, nothing is done at all.
 *
 * @param looked the looks that ended at `atMs`, of all nodes or of some; milliseconds of one monotonic clock throughout
 */
export const looked = (monitor: Monitor, known: Known, atMs: number, looks: readonly Looked[]): Moved => {
  const round = { known, atMs, states: statesOf(monitor, known, looks, atMs) }
  const nodes = new Map(round.states)
  const actions: Action[] = []
  for (const node of known.nodes) {
    const look = looks.find(({ nodeId }) => nodeId === node.nodeId)
    const state = nodes.get(node.nodeId)
    if (look === undefined || state === undefined || isMeantDown(node) || state.lastSeenAtMs === null) continue
    const before = monitor.nodes[node.nodeId] ?? UNSEEN
    const { result } = look
    const moved = result.kind === 'answered'
      ? onAnswer(round, node, { before, state }, look)
      : onMiss(round, node, { state, result })
    nodes.set(node.nodeId, moved.state)
    actions.push(...moved.actions)
  }
  return { monitor: { nodes: Object.fromEntries(nodes) }, actions: known.owned ? actions : [] }
}

/**
 * Takes what the replicas say of a primary that does not answer us. Only then can it be taken for lost; where not one of them
 * answers, it is we who are alone.
 *
 * @param known.primaryId the one that they were asked about
 */
export const heard = (
  monitor: Monitor,
  known: Known,
  { askedAtMs, atMs }: { readonly askedAtMs: number; readonly atMs: number },
  answers: readonly Heard[],
): Moved => {
  const primary = known.nodes.find(({ nodeId }) => nodeId === known.primaryId)
  const before = primary && monitor.nodes[primary.nodeId]
  // They were asked about another silence, or another node.
  if (primary === undefined || before === undefined || before.misses === 0 || askedAtMs < (before.silentSinceMs ?? atMs)) {
    return { monitor, actions: [] }
  }
  const judgement = judged(monitor, answers)
  const confirmedAtMs = judgement === 'lost' ? atMs : undefined
  const { confirmedAtMs: _, ...silent } = before
  const rest = judgement === 'alive' ? { ...silent, heardOfAtMs: atMs } : silent
  const state = confirmedAtMs === undefined ? rest : { ...rest, confirmedAtMs }
  const round = { known, atMs, states: new Map(Object.entries(monitor.nodes)) }
  const moved = confirmedAtMs === undefined ? { state, actions: [] } : suspected(round, primary, state)
  const nodes = { ...monitor.nodes, [primary.nodeId]: moved.state }
  return { monitor: { nodes }, actions: known.owned && !isMeantDown(primary) ? moved.actions : [] }
}

/** Whoever is fenced was stopped for another reason, and is to come back. */
const isMeantDown = ({ shutDown, fenced }: KnownNode): boolean => shutDown && !fenced

const statesOf = (monitor: Monitor, known: Known, looks: readonly Looked[], atMs: number): ReadonlyMap<string, NodeState> =>
  new Map(
    known.nodes.map((node) => {
      const { lastSeenAtMs } = node
      // Of a replica only what we have seen ourselves tells whether it has received anything since.
      const positionBytes = node.nodeId === known.primaryId ? node.positionBytes : null
      const before = monitor.nodes[node.nodeId] ?? { ...UNSEEN, lastSeenAtMs, positionBytes }
      const look = looks.find(({ nodeId }) => nodeId === node.nodeId)
      if (isMeantDown(node)) return [node.nodeId, { ...UNSEEN, lastSeenAtMs: before.lastSeenAtMs,
        deathsAtMs: before.deathsAtMs }]
      return [node.nodeId, look === undefined ? before : withLook(before, look, atMs)]
    }),
  )

const withLook = (before: NodeState, { result, beganAtMs }: Looked, atMs: number): NodeState => {
  const { silentSinceMs, confirmedAtMs: _, restartedAtMs: __, heardOfAtMs: ___, ...rest } = before
  if (result.kind === 'answered') {
    const { positionBytes, streaming } = result
    return { ...rest, lastSeenAtMs: atMs, misses: 0, machineAnswers: true, positionBytes, streaming }
  }
  const machineAnswers = result.kind === 'server-down'
  const isDeath = machineAnswers && before.misses === 0
  const deathsAtMs = before.deathsAtMs.filter((at) => atMs - at < LIMITS.deathsWithinMs)
  return {
    ...before,
    misses: before.misses + 1,
    silentSinceMs: silentSinceMs ?? beganAtMs,
    machineAnswers,
    streaming: [],
    deathsAtMs: isDeath ? [...deathsAtMs, atMs] : deathsAtMs,
  }
}

type NodeMoved = { readonly state: NodeState; readonly actions: readonly Action[] }

const onAnswer = (
  { known, atMs, states }: Round,
  { nodeId, name, fenced, toldLost }: KnownNode,
  { before, state }: { readonly before: NodeState; readonly state: NodeState },
  { result }: Looked,
): NodeMoved => {
  if (result.kind !== 'answered') return { state, actions: [] }
  const { role } = result
  const came: readonly Action[] =
    before.silentSinceMs !== undefined && before.restartedAtMs !== undefined && !fenced
      ? [{ type: 'tell-restarted', nodeId, role, downSinceMs: before.silentSinceMs, backAtMs: atMs }]
      : []
  if (nodeId === known.primaryId && role === 'replica' && !fenced) {
    const moved = asReplica({ atMs }, nodeId, before, { ...state, apartSinceMs: state.apartSinceMs ?? atMs })
    return { state: moved.state, actions: [...came, ...moved.actions] }
  }
  if (nodeId === known.primaryId) {
    const { apartSinceMs: _, ...whole } = state
    const leased: readonly Action[] =
      role === 'primary' && !fenced && known.nodes.length > 1 ? [{ type: 'renew-lease', nodeId }] : []
    const moved = well({ atMs }, nodeId, whole, toldLost && role === 'primary' && !fenced)
    return { state: moved.state, actions: [...came, ...leased, ...moved.actions] }
  }
  // A former primary that came back: the one of the newest epoch alone takes writes.
  if (role === 'primary' && known.primaryId !== null) return { state, actions: [...came, { type: 'fence', nodeId }] }
  const primary = known.primaryId === null ? undefined : states.get(known.primaryId)
  const { apartSinceMs, ...rest } = state
  if (primary === undefined || primary.misses > 0 || primary.lastSeenAtMs === null) return { state: rest, actions: came }
  if (primary.streaming.includes(name) && !fenced) {
    const moved = well({ atMs }, nodeId, rest, toldLost)
    return { state: moved.state, actions: [...came, ...moved.actions] }
  }
  const apart = { ...rest, apartSinceMs: apartSinceMs ?? atMs }
  const moved = back({ atMs }, nodeId, apart, fenced ? LIMITS.backAfterMs : LIMITS.apartAfterMs)
  return { ...moved, actions: [...came, ...moved.actions] }
}

/** A primary that ended itself and was booted since runs as a replica, and nobody else is to lead: it is let begin again. */
const asReplica = ({ atMs }: Pick<Round, 'atMs'>, nodeId: string, before: NodeState, state: NodeState): NodeMoved => {
  const { restartedAtMs } = before
  const isLong = atMs - (state.apartSinceMs ?? atMs) >= LIMITS.backAfterMs
  if (isLong && (restartedAtMs === undefined || atMs - restartedAtMs >= LIMITS.restartAgainMs)) {
    return { state: { ...state, restartedAtMs: atMs }, actions: [{ type: 'restart-in-place', nodeId }] }
  }
  return { state: restartedAtMs === undefined ? state : { ...state, restartedAtMs }, actions: [] }
}

type Miss = { readonly state: NodeState; readonly result: LookResult }

const onMiss = (round: Round, node: KnownNode, { state, result }: Miss): NodeMoved => {
  const { known, atMs } = round
  const { nodeId, fenced } = node
  const again: readonly Action[] = state.misses < LIMITS.missesMax ? [{ type: 'look', nodeId, afterMs: 0 }] : []
  const isPrimary = nodeId === known.primaryId
  const server = result.kind === 'server-down' ? result.server : undefined
  if (isPrimary && !fenced && server === 'waits-for-lease') {
    return { state, actions: [{ type: 'renew-lease', nodeId }, { type: 'look', nodeId, afterMs: LIMITS.againLookMs }] }
  }
  // A server that recovers takes no writes, but is ended when its lease runs out meanwhile: it would never get to its end.
  const kept: readonly Action[] =
    isPrimary && !fenced && server === 'refuses' && known.nodes.length > 1 ? [{ type: 'renew-lease', nodeId }] : []
  if (isPrimary && !fenced && state.misses < LIMITS.missesMax) {
    return { state, actions: [...kept, ...again, ...asking(round, node)] }
  }
  if (again.length > 0) return { state, actions: again }
  if (fenced && !isPrimary && state.machineAnswers) {
    return back({ atMs }, nodeId, { ...state, apartSinceMs: state.apartSinceMs ?? atMs }, LIMITS.backAfterMs)
  }
  const revived = server === undefined || fenced ? { state, actions: [] } : inPlace(round, node, { state, result })
  if (isPrimary && known.nodes.length > 1) {
    const lost = suspected(round, node, revived.state)
    const isTold = lost.actions.some(({ type }) => type === 'tell-unreachable')
    const unheard = isTold ? { state: lost.state, actions: [] } : off(round, node, lost.state)
    return { state: unheard.state, actions: [...kept, ...revived.actions, ...lost.actions, ...unheard.actions] }
  }
  const silent = telling(revived.state, 'node-silent', atMs, silentFor(round, revived.state), () => ({
    type: 'tell-silent', nodeId, sinceMs: state.silentSinceMs ?? atMs, machineAnswers: state.machineAnswers,
  }))
  return { state: silent.state, actions: [...revived.actions, ...silent.actions] }
}

/** A primary whose machine is silent, and of which nobody can be asked, may be off: it is told for its machine to be booted. */
const off = ({ atMs }: Round, { nodeId }: KnownNode, state: NodeState): NodeMoved => {
  const sinceMs = state.silentSinceMs ?? atMs
  const isHeardOf = state.heardOfAtMs !== undefined && atMs - state.heardOfAtMs < LIMITS.silentAfterMs
  const isSo = !state.machineAnswers && !isHeardOf && atMs - sinceMs >= LIMITS.silentAfterMs
  return telling(state, 'node-silent', atMs, isSo, () => ({ type: 'tell-silent', nodeId, sinceMs, machineAnswers: false }))
}

/** Whether a node has been silent for so long that it is told. */
const silentFor = ({ atMs }: Round, state: NodeState): boolean =>
  atMs - (state.silentSinceMs ?? atMs) >= (state.machineAnswers ? LIMITS.inPlaceMs : LIMITS.silentAfterMs) ||
  (state.machineAnswers && state.deathsAtMs.length >= LIMITS.deathsMax)

/** A dead server is started where it is, at once, and later again; one that keeps dying while others can do its part is not. */
const inPlace = ({ known, atMs }: Round, { nodeId }: KnownNode, { state, result }: Miss): NodeMoved => {
  const soon: Action = { type: 'look', nodeId, afterMs: LIMITS.againLookMs }
  const keepsDying = state.deathsAtMs.length >= LIMITS.deathsMax && known.nodes.length > 1
  const isEnded = result.kind === 'server-down' && result.server === 'ended'
  const isDue = isEnded && (state.restartedAtMs === undefined || atMs - state.restartedAtMs >= LIMITS.restartAgainMs)
  const inTime = atMs - (state.silentSinceMs ?? atMs) < LIMITS.inPlaceMs
  if (keepsDying || !isDue) return { state, actions: inTime ? [soon] : [] }
  return { state: { ...state, restartedAtMs: atMs }, actions: [{ type: 'restart-in-place', nodeId }, soon] }
}

/**
 * What follows while the primary of several nodes does not answer: it is told once it is confirmed, and again while
 * it lasts.
 */
const suspected = (round: Round, node: KnownNode, state: NodeState): NodeMoved => {
  const { atMs } = round
  const sinceMs = state.silentSinceMs ?? atMs
  const keepsDying = state.deathsAtMs.length >= LIMITS.deathsMax
  const isLost = state.misses >= LIMITS.missesMax &&
    (!state.machineAnswers || keepsDying || atMs - sinceMs >= LIMITS.inPlaceMs)
  if (!isLost) return { state, actions: [] }
  if (state.confirmedAtMs === undefined) return { state, actions: asking(round, node) }
  const { confirmedAtMs: _, ...rest } = state
  return telling(rest, 'primary-unreachable', atMs, true, () => ({
    type: 'tell-unreachable',
    primaryId: node.nodeId,
    lastSeenAtMs: state.lastSeenAtMs ?? sinceMs,
    positionBytes: state.positionBytes,
    because: !state.machineAnswers ? 'silent' : keepsDying ? 'keeps-dying' : 'server-died',
  }))
}

const asking = ({ known, states }: Round, { nodeId: primaryId }: KnownNode): readonly Action[] => {
  const replicas = known.nodes.filter(
    ({ nodeId, shutDown, fenced }) =>
      nodeId !== primaryId && !shutDown && !fenced && states.get(nodeId)?.lastSeenAtMs !== null,
  )
  return replicas.length === 0 ? [] : [{ type: 'ask-replicas', primaryId, replicas: replicas.map(({ nodeId }) => nodeId) }]
}

const back = ({ atMs }: Pick<Round, 'atMs'>, nodeId: string, state: NodeState, afterMs: number): NodeMoved =>
  telling(state, 'node-back', atMs, atMs - (state.apartSinceMs ?? atMs) >= afterMs, () => ({ type: 'tell-back', nodeId }))

/** One that does its part: of what was told of it before, only that is kept. */
const well = ({ atMs }: Pick<Round, 'atMs'>, nodeId: string, state: NodeState, isNews: boolean): NodeMoved => {
  const { 'node-well': told } = state.toldAtMs
  const whole = { ...state, toldAtMs: told === undefined ? {} : { 'node-well': told } }
  return telling(whole, 'node-well', atMs, isNews, () => ({ type: 'tell-well', nodeId }))
}

/** Tells it if it is so, and not again before some time has gone by. */
const telling = (
  state: NodeState,
  kind: keyof NodeState['toldAtMs'],
  atMs: number,
  isSo: boolean,
  action: () => Action,
): NodeMoved => {
  const toldAtMs = state.toldAtMs[kind]
  if (!isSo || (toldAtMs !== undefined && atMs - toldAtMs < LIMITS.tellAgainMs[kind])) return { state, actions: [] }
  return { state: { ...state, toldAtMs: { ...state.toldAtMs, [kind]: atMs } }, actions: [action()] }
}
