/**
 * A bounded cache in two generations: when the young one is full it becomes the old one, and what was old is forgotten.
 * Evicting key by key from a large Map is many times slower.
 */
export type Generations<K, V> = {
  readonly get: (key: K) => V | undefined
  readonly set: (key: K, value: V) => void
  readonly forget: (key: K) => void
}

/** @param sizeMax how many keys a generation holds; the cache holds at most twice as many */
export const generations = <K, V>(sizeMax: number): Generations<K, V> => {
  let young = new Map<K, V>()
  let old = new Map<K, V>()
  const set = (key: K, value: V): void => {
    if (young.size >= sizeMax && !young.has(key)) {
      old = young
      young = new Map()
    }
    young.set(key, value)
  }
  return {
    set,
    forget: (key) => {
      young.delete(key)
      old.delete(key)
    },
    get: (key) => {
      const fresh = young.get(key)
      if (fresh !== undefined) return fresh
      const stale = old.get(key)
      if (stale !== undefined) set(key, stale)
      return stale
    },
  }
}
