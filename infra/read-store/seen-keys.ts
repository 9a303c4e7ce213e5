/** Of which keys one has been told; it may take others for them, but never forgets one. */
export type SeenKeys = { readonly add: (key: string) => void; readonly mayHave: (key: string) => boolean }

const BITS = 2 ** 24
const PROBES = 3

/** Two independent 32-bit hashes of a text (FNV-1a, with two offsets). */
const hashes = (key: string): readonly [number, number] => {
  let one = 0x811c9dc5
  let other = 0x9e3779b9
  for (let at = 0; at < key.length; at++) {
    const code = key.charCodeAt(at)
    one = Math.imul(one ^ code, 0x01000193)
    other = Math.imul(other ^ code, 0x85ebca6b)
    other ^= other >>> 13
  }
  return [one >>> 0, other >>> 0]
}

/** A Bloom filter of two mebibytes: at a million keys one in two hundred strangers is taken for one of them. */
export const seenKeys = (): SeenKeys => {
  const bits = new Uint8Array(BITS / 8)
  const placesOf = (key: string): readonly number[] => {
    const [one, other] = hashes(key)
    return Array.from({ length: PROBES }, (_, n) => (one + n * other) % BITS)
  }
  return {
    add: (key) => {
      for (const place of placesOf(key)) bits[place >>> 3] = (bits[place >>> 3] ?? 0) | (1 << (place & 7))
    },
    mayHave: (key) => placesOf(key).every((place) => ((bits[place >>> 3] ?? 0) & (1 << (place & 7))) !== 0),
  }
}
