/** The last few streams that were written, as they were left: the most recently used `sizeMax` of them. */
export type Remembered<T> = {
  readonly get: (stream: string) => T | undefined
  readonly set: (stream: string, value: T) => void
  readonly forget: (stream: string) => void
}

export const remembered = <T>(sizeMax: number): Remembered<T> => {
  const kept = new Map<string, T>()
  return {
    get: (stream) => {
      const value = kept.get(stream)
      if (value !== undefined) {
        kept.delete(stream)
        kept.set(stream, value)
      }
      return value
    },
    set: (stream, value) => {
      kept.delete(stream)
      kept.set(stream, value)
      for (const oldest of kept.keys()) {
        if (kept.size <= sizeMax) return
        kept.delete(oldest)
      }
    },
    forget: (stream) => void kept.delete(stream),
  }
}
