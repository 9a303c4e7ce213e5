import { setTimeout as pause } from 'node:timers/promises'
import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  nanos,
  NatsError,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from 'nats'
import type { Link } from './nats-link.ts'

/** Longer than any order may take: one that is placed again while the first may still be carried out is dropped. */
export const DUPLICATE_WINDOW_MS = 1_200_000
/** What is this old has been seen anew since, or there is nobody who looks. */
const OBSERVATION_KEPT_MS = 3_600_000
export const DEAD_LETTERS_MAX = 10_000
const ACK_PENDING_MAX = 10_000
const REMOVAL_PAUSE_MS = 200

/** Which consumer reads which stream. One filter subject each: a server before 2.10 takes no more. */
export const CONSUMERS = {
  infra: { stream: 'ORDERS', name: 'deployer', filter: 'infra.>' },
  cmon: { stream: 'ORDERS', name: 'controller', filter: 'cmon.>' },
  outcomes: { stream: 'OUTCOMES', name: 'runner', filter: 'outcome.>' },
  observations: { stream: 'OBSERVED', name: 'observer', filter: 'observed.>' },
} as const

type WorkConsumer = (typeof CONSUMERS)[keyof typeof CONSUMERS]

const common = { storage: StorageType.File, duplicate_window: nanos(DUPLICATE_WINDOW_MS) }

const STREAMS: readonly (Partial<StreamConfig> & { readonly name: string })[] = [
  { ...common, name: 'ORDERS', subjects: ['infra.>', 'cmon.>'], retention: RetentionPolicy.Workqueue },
  { ...common, name: 'OUTCOMES', subjects: ['outcome.>'], retention: RetentionPolicy.Workqueue },
  {
    ...common,
    name: 'OBSERVED',
    subjects: ['observed.>'],
    retention: RetentionPolicy.Workqueue,
    max_age: nanos(OBSERVATION_KEPT_MS),
    duplicate_window: nanos(OBSERVATION_KEPT_MS),
  },
  {
    ...common,
    name: 'DEAD',
    subjects: ['dead.>'],
    retention: RetentionPolicy.Limits,
    max_msgs: DEAD_LETTERS_MAX,
    discard: DiscardPolicy.Old,
  },
]

const absent = (error: unknown): boolean => error instanceof NatsError && error.api_error?.code === 404

// Only what we set is compared and sent: replicas and placement are the operator's to choose.
const differs = (ours: object, theirs: object): boolean => {
  const there = new Map(Object.entries(theirs))
  return Object.entries(ours).some(([key, value]) => JSON.stringify(there.get(key)) !== JSON.stringify(value))
}

const ensureStream = async (manager: JetStreamManager, ours: (typeof STREAMS)[number]): Promise<void> => {
  try {
    const { config } = await manager.streams.info(ours.name)
    if (differs(ours, config)) await manager.streams.update(ours.name, { ...config, ...ours })
  } catch (error) {
    if (!absent(error)) throw error
    await manager.streams.add(ours)
  }
}

/** The number of the first message of `filter` at or after `seq`. */
const firstOf = async (manager: JetStreamManager, stream: string, filter: string, seq: number) => {
  const next = { seq, next_by_subj: filter }
  try {
    return (await manager.streams.getMessage(stream, next)).seq
  } catch (error) {
    if (absent(error)) return undefined
    throw error
  }
}

/**
 * Whether a consumer is past messages that it never handed out. A nats-server that is killed at the wrong moment
 * forgets a drained stream's numbers and counts from 1 again, while the consumer waits for the higher ones (2.10.27).
 */
const isAstray = async (manager: JetStreamManager, { stream, name, filter }: WorkConsumer): Promise<boolean> => {
  const { delivered, ack_floor: floor } = await manager.consumers.info(stream, name)
  const { state } = await manager.streams.info(stream)
  if (delivered.stream_seq > state.last_seq) return true
  // In a work queue nothing is left at or below the number up to which all is acknowledged.
  const first = state.messages === 0 ? undefined : await firstOf(manager, stream, filter, 1)
  return first !== undefined && first <= floor.stream_seq
}

/** Has a consumer that went astray begin anew. What was in hand is handed out once more, which every reader bears. */
const mendConsumer = async (manager: JetStreamManager, consumer: WorkConsumer): Promise<void> => {
  if (!(await isAstray(manager, consumer))) return
  // An acknowledged message is removed a moment after the floor has moved.
  await pause(REMOVAL_PAUSE_MS)
  if (await isAstray(manager, consumer)) await manager.consumers.delete(consumer.stream, consumer.name)
}

const ensureConsumer = async (
  manager: JetStreamManager,
  { stream, name, filter }: WorkConsumer,
  ackWaitMs: number,
): Promise<void> => {
  const ours: Partial<ConsumerConfig> = {
    durable_name: name,
    filter_subject: filter,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    ack_wait: nanos(ackWaitMs),
    // Counted by the reader instead: past its own limit the server would keep a message and never say so.
    max_deliver: -1,
    max_ack_pending: ACK_PENDING_MAX,
  }
  try {
    const { config } = await manager.consumers.info(stream, name)
    if (differs(ours, config)) await manager.consumers.update(stream, name, ours)
  } catch (error) {
    if (!absent(error)) throw error
    await manager.consumers.add(stream, ours)
  }
}

/**
 * Makes the streams and consumers, or brings those that are there up to date. Processes may race: who loses finds
 * the thing there at the next attempt.
 */
export const ensureTopology = ({ connection, insist, ackWaitMs }: Link): Promise<void> =>
  insist('preparing the streams', async (timeout) => {
    const manager = await connection.jetstreamManager({ timeout, checkAPI: false })
    for (const stream of STREAMS) await ensureStream(manager, stream)
    for (const consumer of Object.values(CONSUMERS)) {
      await ensureConsumer(manager, consumer, ackWaitMs)
      await mendConsumer(manager, consumer)
      await ensureConsumer(manager, consumer, ackWaitMs)
    }
  })
