import { STRATEGIES, type StrategyName } from './strategies.ts'

/** How a group treats its consumers. Counts are numbers of events. */
export type Settings = {
  readonly resolveLinks: boolean
  readonly extraStatistics: boolean
  readonly messageTimeoutMs: number
  readonly maxRetryCount: number
  /** 0: checkpoints are written by count alone. */
  readonly checkpointAfterMs: number
  readonly minCheckpointCount: number
  readonly maxCheckpointCount: number
  /** 0: any number. */
  readonly maxSubscriberCount: number
  readonly liveBufferSize: number
  readonly readBatchSize: number
  readonly historyBufferSize: number
  readonly strategy: StrategyName
}

/** What is read at once at most, and if nothing is said. */
const READ_BATCH_MAX = 500
const READ_BATCH_DEFAULT = 20

/** @returns how many events are read from the past at once */
export const batchSizeOf = ({ readBatchSize }: Settings): number =>
  Math.min(readBatchSize === 0 ? READ_BATCH_DEFAULT : readBatchSize, READ_BATCH_MAX)

export const isStrategy = (name: string): name is StrategyName => Object.hasOwn(STRATEGIES, name)

/** @returns why a group cannot have these settings; undefined if it can */
export const faultIn = (settings: Settings): string | undefined => {
  const { readBatchSize, historyBufferSize } = settings
  if (readBatchSize >= historyBufferSize) {
    return `the read batch of ${readBatchSize} must be smaller than the history buffer of ${historyBufferSize}`
  }
  const counts = Object.entries(settings).filter(([, value]) => typeof value === 'number' && value < 0)
  const [negative] = counts
  return negative === undefined ? undefined : `${negative[0]} must not be negative`
}
