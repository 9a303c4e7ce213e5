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

export const DUPLICATE_WINDOW_MS = 120_000
export const DEAD_LETTERS_MAX = 10_000
const ACK_PENDING_MAX = 10_000

/** Which consumer reads which stream. One filter subject each: a server before 2.10 takes no more. */
export const CONSUMERS = {
  infra: { stream: 'ORDERS', name: 'deployer', filter: 'infra.>' },
  cmon: { stream: 'ORDERS', name: 'controller', filter: 'cmon.>' },
  outcomes: { stream: 'OUTCOMES', name: 'runner', filter: 'outcome.>' },
} as const

const common = { storage: StorageType.File, duplicate_window: nanos(DUPLICATE_WINDOW_MS) }

const STREAMS: readonly (Partial<StreamConfig> & { readonly name: string })[] = [
  { ...common, name: 'ORDERS', subjects: ['infra.>', 'cmon.>'], retention: RetentionPolicy.Workqueue },
  { ...common, name: 'OUTCOMES', subjects: ['outcome.>'], retention: RetentionPolicy.Workqueue },
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

const ensureConsumer = async (
  manager: JetStreamManager,
  { stream, name, filter }: (typeof CONSUMERS)[keyof typeof CONSUMERS],
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
    for (const consumer of Object.values(CONSUMERS)) await ensureConsumer(manager, consumer, ackWaitMs)
  })
