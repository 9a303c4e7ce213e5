import { z } from 'zod'
import type { Log } from '../log.ts'
import { JSON_CONTENT } from '../stream-metadata.ts'
import { ownStream } from './own-stream.ts'
import { placeFrom, placeText, type Source } from './source.ts'

const CHECKPOINT_TYPE = '$SubscriptionCheckpoint'
const KEPT = 2

/** How far a group has come, in a stream of its own. */
export type Checkpoint = {
  readonly load: () => Promise<number | undefined>
  /** Only the newest matters: what is asked for while one is written takes the place of what waits. */
  readonly save: (place: number) => void
  readonly forget: () => Promise<void>
  /** Resolves when nothing is being written. */
  readonly idle: () => Promise<void>
}

/** @param onFailure called when the log cannot be written any more */
export const checkpointOf = (log: Log, key: string, source: Source, onFailure: (error: unknown) => void): Checkpoint => {
  const stream = ownStream(log, `$persistentsubscription-${key}-checkpoint`)
  let known = false
  let wanted: number | undefined
  let writing: Promise<void> | undefined

  const write = async (): Promise<void> => {
    while (wanted !== undefined) {
      const data = JSON.stringify(placeText(source, wanted))
      wanted = undefined
      if (!known) await stream.keep({ $maxCount: KEPT })
      known = true
      await stream.append({ type: CHECKPOINT_TYPE, contentType: JSON_CONTENT, data })
    }
  }
  return {
    load: async () => {
      const last = await stream.last()
      known = last !== undefined
      if (last === undefined) return undefined
      return placeFrom(source, z.string().parse(JSON.parse(last.data.toString())))
    },
    save: (place) => {
      wanted = place
      writing ??= write().catch(onFailure).finally(() => {
        writing = undefined
      })
    },
    forget: stream.remove,
    idle: async () => writing,
  }
}
