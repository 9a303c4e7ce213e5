import type { Delivered, Messaging } from './messaging.ts'

/**
 * Keeps a message with its reader for as long as `work` lasts, however long that is: without a sign of life the broker
 * would hand it out again, and in the end put it aside as poison.
 *
 * @returns what `work` returns; acknowledging is the work's own
 */
export const held = async <T>(
  { ackWaitMs }: Pick<Messaging, 'ackWaitMs'>,
  { extend }: Pick<Delivered<unknown>, 'extend'>,
  work: () => Promise<T>,
): Promise<T> => {
  const sign = setInterval(extend, ackWaitMs / 3)
  try {
    return await work()
  } finally {
    clearInterval(sign)
  }
}
