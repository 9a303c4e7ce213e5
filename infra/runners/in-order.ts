/** Runs work one after the other for each key, and side by side for different keys. */
export type InOrder = {
  readonly run: <T>(key: string, work: () => Promise<T>) => Promise<T>
  /** Resolves when nothing is at work. */
  readonly idle: () => Promise<void>
}

export const inOrder = (): InOrder => {
  const tails = new Map<string, Promise<unknown>>()
  return {
    run: (key, work) => {
      const result = (tails.get(key) ?? Promise.resolve()).then(work)
      const tail = result.then(
        () => undefined,
        () => undefined,
      )
      tails.set(key, tail)
      void tail.then(() => {
        if (tails.get(key) === tail) tails.delete(key)
      })
      return result
    },
    idle: async () => {
      while (tails.size > 0) await Promise.all(tails.values())
    },
  }
}
