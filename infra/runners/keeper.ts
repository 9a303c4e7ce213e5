import type { Delivery, EventStore, Position } from '../../domain/kernel/event-store.ts'
import { writeCheckpoint } from './checkpoint.ts'
import type { OpenJobs } from './open-jobs.ts'

/** The stream of checkpoints grows by one event in this time at most; a start reads anew what happened in it. */
const CHECKPOINT_EVERY_MS = 30_000

type UnderWay = { readonly position: Position; done: boolean }

/** Keeps the checkpoint at the last position before which everything is carried out. */
export const keeper = (
  store: EventStore,
  open: Pick<OpenJobs, 'ids'>,
  log: { readonly warn: (fields: object, message: string) => void },
) => {
  let underWay: readonly UnderWay[] = []
  let reached: Position | undefined
  let written: Position | undefined
  const write = async (): Promise<void> => {
    if (reached === undefined || reached === written) return
    const position = reached
    try {
      await writeCheckpoint(store, { position, openJobs: open.ids() })
      written = position
    } catch (err) {
      log.warn({ err }, 'the checkpoint could not be written; the next one will do')
    }
  }
  const advance = (): void => {
    // Of neighbours that are done the last one tells it all: one stuck event must not make the list grow for ever.
    underWay = underWay.filter(({ done }, at) => !(done && underWay[at + 1]?.done === true))
    const [first, ...rest] = underWay
    if (first?.done !== true) return
    reached = first.position
    underWay = rest
  }
  const timer = setInterval(() => void write(), CHECKPOINT_EVERY_MS)
  return {
    follow: ({ position, events }: Delivery, carriedOut: Promise<readonly boolean[]>): void => {
      // Checkpoints of quiet times alone are no reason to write.
      if (events.length === 0 && underWay.length === 0) return
      const entry: UnderWay = { position, done: false }
      underWay = [...underWay, entry]
      void carriedOut.then((results) => {
        entry.done = results.every(Boolean)
        advance()
      })
    },
    close: async (): Promise<void> => {
      clearInterval(timer)
      await write()
    },
  }
}
