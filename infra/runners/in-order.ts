/** Runs work one after the other for each key, and side by side for different keys. */
export type InOrder = {
  readonly run: <T>(key: string, work: () => Promise<T>) => Promise<T>
  /** Resolves when nothing is at work. */
  readonly idle: () => Promise<void>
  /** Resolves when fewer than `count` works are unfinished, those included that wait for their turn. */
  readonly room: (count: number) => Promise<void>
}

export const inOrder = (): InOrder => {
  const tails = new Map<string, Promise<unknown>>()
  let unfinished = 0
  let ended = Promise.withResolvers<void>()
  return {
    run: (key, work) => {
      unfinished += 1
      const result = (tails.get(key) ?? Promise.resolve()).then(work)
      const end = (): void => {
        if (tails.get(key) === tail) tails.delete(key)
        unfinished -= 1
        ended.resolve()
        ended = Promise.withResolvers()
      }
      const tail: Promise<void> = result.then(end, end)
      tails.set(key, tail)
      return result
    },
    idle: async () => {
      while (tails.size > 0) await Promise.all(tails.values())
    },
    room: async (count) => {
      while (unfinished >= count) await ended.promise
    },
  }
}
