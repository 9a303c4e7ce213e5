import { crc32 } from 'node:zlib'
import { heard, initialMonitor, looked, type Moved } from '../../../domain/failover/monitor.ts'
import type { Action } from '../../../domain/failover/watched.ts'
import type { WatchedCluster } from '../../controller-store/controller-store.ts'
import { askReplicas, fenceSecond, restartInPlace } from './act.ts'
import { beside } from './beside.ts'
import { type Eye, type Seen, eyeOn, resultOf } from './eye.ts'
import type { WatchParts } from './parts.ts'
import { endLease, renewLease } from './renew.ts'
import { settling } from './settle.ts'
import { type Telling, tell } from './tell.ts'
import { type IsOurs, type View, knownOf } from './view.ts'

/** The watch over one datastore. */
export type DatastoreWatch = {
  /** What CMON DB says of it by now. */
  readonly update: (watched: WatchedCluster) => void
  readonly end: () => Promise<void>
}

/** Looks at every node of a datastore, each in a rhythm of its own, and does what the monitor says, until it is ended. */
export const watchDatastore = (everyone: WatchParts, first: WatchedCluster, isOwned: IsOurs): DatastoreWatch => {
  const stop = new AbortController()
  const signal = AbortSignal.any([everyone.signal, stop.signal])
  const parts = { ...everyone, signal }
  const { datastoreId } = first.cluster
  const view: View = {
    datastoreId, watched: first, monitor: initialMonitor, seen: new Map(), eyes: new Map(),
    isOurs: () => !signal.aborted && isOwned(),
    beside: beside(parts, datastoreId),
  }
  let shape = JSON.stringify(first.cluster)
  const close = (): void => {
    for (const eye of view.eyes.values()) view.beside.run(eye.close())
    view.eyes.clear()
  }
  const open = (): void => {
    for (const node of view.watched.cluster.nodes) {
      const eye = eyeOn(parts, view.watched.cluster, node)
      view.eyes.set(node.nodeId, eye)
      view.beside.run(follow(parts, view, eye))
    }
  }
  open()
  view.beside.run(settling(parts, view))
  return {
    update(next) {
      view.watched = next
      const now = JSON.stringify(next.cluster)
      if (now === shape || signal.aborted) return
      shape = now
      close()
      const stay = new Set(next.cluster.nodes.map(({ nodeId }) => nodeId))
      for (const nodeId of view.seen.keys()) if (!stay.has(nodeId)) view.seen.delete(nodeId)
      open()
    },
    async end() {
      stop.abort()
      close()
      await view.beside.ended()
    },
  }
}

/** Looks at one node, again and again, until it is looked at by another eye or by none. */
const follow = async (parts: WatchParts, view: View, eye: Eye): Promise<void> => {
  const { clock, metrics, signal, limits: { intervalMs } } = parts
  const { nodeId } = eye.node
  const isOver = (): boolean => signal.aborted || view.eyes.get(nodeId) !== eye
  // So that not all of a fleet are looked at in the same millisecond.
  await clock.sleep(crc32(nodeId) % intervalMs, signal)
  while (!isOver()) {
    const seen = await eye.look()
    if (isOver()) return
    const { look, beganAtMs } = seen
    const atMs = clock.monotonicMs()
    metrics?.look(look === 'no-contact' ? 'silent' : 'answered', (atMs - beganAtMs) / 1_000)
    view.seen.set(nodeId, seen)
    const known = knownOf(parts, view)
    const actions = take(parts, view, looked(view.monitor, known, atMs, [{ nodeId, beganAtMs, result: resultOf(seen) }]))
    await leaseAfter(parts, view, { eye, seen, isDue: actions.some(({ type }) => type === 'renew-lease') })
    const soon = actions.find((action) => action.type === 'look')
    await clock.sleep(soon?.afterMs ?? Math.max(intervalMs - (clock.monotonicMs() - beganAtMs), 0), signal)
  }
}

type Due = { readonly eye: Eye; readonly seen: Seen; readonly isDue: boolean }

/** Before the next look: a lease counts from the one that was just made. */
const leaseAfter = async (parts: WatchParts, view: View, { eye, seen, isDue }: Due): Promise<void> => {
  const { nodeId } = eye.node
  if (isDue) return renewLease(parts, view, { eye, seen })
  const isAlone = view.watched.cluster.nodes.length === 1 && seen.look !== 'no-contact' && seen.look.guarded
  if (isAlone && view.isOurs()) view.beside.once(`end of lease ${nodeId}`, () => endLease(parts, view.watched, eye))
}

const take = (parts: WatchParts, view: View, { monitor, actions }: Moved): readonly Action[] => {
  view.monitor = monitor
  for (const action of actions) act(parts, view, action)
  return actions
}

/** Does what the monitor says, beside the looks. The looks themselves, and leases, are in the hands of whoever looks. */
const act = (parts: WatchParts, view: View, action: Action): void => {
  const { beside: { once }, eyes } = view
  switch (action.type) {
    case 'look':
    case 'renew-lease':
      return
    case 'ask-replicas':
      return once(`ask about ${action.primaryId}`, () => ask(parts, view, action))
    case 'fence':
    case 'restart-in-place': {
      const eye = eyes.get(action.nodeId)
      if (eye === undefined) return
      const what = action.type === 'fence' ? fenceSecond : restartInPlace
      return once(`${action.type} ${action.nodeId}`, () => what(parts, view, eye))
    }
    default:
      return once(`${action.type} ${whom(action)}`, () => tell(parts, view, action))
  }
}

const whom = (found: Telling): string => (found.type === 'tell-unreachable' ? found.primaryId : found.nodeId)

type Asking = Extract<Action, { type: 'ask-replicas' }>

const ask = async (parts: WatchParts, view: View, { primaryId, replicas }: Asking): Promise<void> => {
  const { clock, metrics } = parts
  metrics?.suspicion()
  const askedAtMs = clock.monotonicMs()
  const asked = replicas.flatMap((nodeId) => view.eyes.get(nodeId) ?? [])
  const answers = await askReplicas(parts, view.watched.cluster, primaryId, asked)
  if (view.watched.standing.primaryId !== primaryId) return
  take(parts, view, heard(view.monitor, knownOf(parts, view), { askedAtMs, atMs: clock.monotonicMs() }, answers))
}
