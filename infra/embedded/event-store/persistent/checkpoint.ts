import { z } from 'zod'
import type { Log } from '../log.ts'
import { JSON_CONTENT } from '../stream-metadata.ts'
import { insist } from './insist.ts'
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

/** @param signal aborts when nothing more is to be written */
export const checkpointOf = (log: Log, key: string, source: Source, signal: AbortSignal): Checkpoint => {
  const stream = ownStream(log, `$persistentsubscription-${key}-checkpoint`)
  let known = false
  let wanted: number | undefined
  let writing: Promise<void> | undefined

  const write = async (): Promise<void> => {
    while (wanted !== undefined) {
      const data = JSON.stringify(placeText(source, wanted))
      wanted = undefined
      if (!known) await insist(() => stream.keep({ $maxCount: KEPT }), signal)
      known = true
      await insist(() => stream.append({ type: CHECKPOINT_TYPE, contentType: JSON_CONTENT, data }), signal)
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
      writing ??= write().catch(() => undefined).finally(() => {
        writing = undefined
      })
    },
    forget: stream.remove,
    idle: async () => writing,
  }
}
