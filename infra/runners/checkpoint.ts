import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import {
  type EventStore,
  type Metadata,
  type Position,
  RevisionConflict,
  parsePosition,
  positionText,
} from '../../domain/kernel/event-store.ts'

/** Of this stream the last event alone means anything. */
export const CHECKPOINT_STREAM = 'runnerCheckpoint-jobs'

const Checkpointed = z.object({ position: z.string(), openJobs: z.array(z.uuid()) })

export type Checkpoint = { readonly position: Position | 'start'; readonly openJobs: readonly string[] }

/**
 * How far the runner has carried the log out, and which jobs were open there, so that a start costs the open jobs and
 * not the history.
 * Losing it loses nothing: everything before it may be done again.
 */
export const readCheckpoint = async (store: EventStore): Promise<Checkpoint> => {
  const { events } = await store.read(CHECKPOINT_STREAM, { backward: true, limit: 1 })
  const parsed = Checkpointed.safeParse(events[0]?.data)
  if (!parsed.success) return { position: 'start', openJobs: [] }
  return { position: parsePosition(parsed.data.position) ?? 'start', openJobs: parsed.data.openJobs }
}

export const writeCheckpoint = async (
  store: EventStore,
  { position, openJobs }: { readonly position: Position; readonly openJobs: readonly string[] },
): Promise<void> => {
  const { revision } = await store.read(CHECKPOINT_STREAM, { backward: true, limit: 1 })
  const id = randomUUID()
  const actor = { kind: 'system', id: 'ccx-runner-service' } as const
  const metadata: Metadata = { commandId: id, correlationId: id, causationId: id, actor }
  const data = { position: positionText(position), openJobs }
  try {
    await store.append(CHECKPOINT_STREAM, [{ id, type: 'RunnerCheckpointed', data, metadata }], { expected: revision })
  } catch (error) {
    // Another runner wrote its own, which serves as well.
    if (!(error instanceof RevisionConflict)) throw error
  }
}
