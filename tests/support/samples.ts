import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const folder = join(import.meta.dirname, '..', 'samples')

/** An event as it stood on the wire, but for its name there. */
const Sample = z.object({ type: z.string(), data: z.looseObject({}), metadata: z.looseObject({}) })
export type Sample = z.infer<typeof Sample>

const read = (path: string): readonly Sample[] => z.array(Sample).parse(JSON.parse(readFileSync(path, 'utf8')))

export type Shape = { readonly type: string; readonly version: number; readonly samples: readonly Sample[] }

/** Samples of every shape of every event that was ever written. */
export const sampledShapes = (): readonly Shape[] =>
  readdirSync(join(folder, 'events')).map((file) => {
    const [, type, version] = /^(\w+)\.v(\d+)\.json$/.exec(file) ?? []
    if (type === undefined) throw new Error(`tests/samples/events/${file} is not named <Type>.v<N>.json`)
    return { type, version: Number(version), samples: read(join(folder, 'events', file)) }
  })

/** All events of an installation that made a datastore of two nodes and deleted it. */
export const sampledStreams = (): readonly Sample[] => read(join(folder, 'streams', 'deploy-and-delete.v1.json'))

/** Names of nodes and the like are keys as well. */
const isName = (key: string): boolean => /[\d_-]/.test(key)

/** Which keys there are and what kind of value each has, lists and names taken together. */
export const pathsOf = (value: unknown, path = ''): readonly string[] => {
  if (Array.isArray(value)) return [`${path}: list`, ...value.flatMap((item) => pathsOf(item, `${path}[]`))]
  if (typeof value !== 'object' || value === null) return [`${path}: ${value === null ? 'null' : typeof value}`]
  const inner = Object.entries(value).flatMap(([key, item]) => pathsOf(item, `${path}.${isName(key) ? '*' : key}`))
  return [`${path}: object`, ...inner]
}

/** The keys that are there whatever the kind of value, so that one that is missing is noticed. */
const keysOf = (paths: readonly string[]): ReadonlySet<string> => new Set(paths.map((path) => path.replace(/: \w+$/, '')))

/** How a value strays from the shape that the samples show: what none of them has, and what all of them have. */
export const strayings = (data: unknown, samples: readonly Sample[]): readonly string[] => {
  const own = pathsOf(data)
  const shown = samples.map((sample) => pathsOf(sample.data))
  const known = new Set(shown.flat())
  const [first = new Set<string>(), ...others] = shown.map(keysOf)
  const keys = keysOf(own)
  const always = [...first].filter((key) => others.every((other) => other.has(key)))
  return [
    ...own.filter((path) => !known.has(path)).map((path) => `no sample has ${path}`),
    ...always.filter((key) => !keys.has(key)).map((key) => `every sample has ${key}`),
  ]
}

/** Of these events, one of each different shape. */
const different = (events: readonly Sample[]): readonly Sample[] => {
  const seen = new Map(events.toReversed().map((event) => [[...new Set(pathsOf(event.data))].toSorted().join(), event]))
  return events.filter((event) => [...seen.values()].includes(event))
}

/** What a reader of the samples would not understand: what they all have is gone, or of another kind than in any of them. */
const isAnotherShape = (data: unknown, samples: readonly Sample[]): boolean => {
  const kinds = new Map<string, ReadonlySet<string>>()
  for (const path of samples.flatMap((sample) => pathsOf(sample.data))) {
    const [key = '', kind = ''] = path.split(': ')
    kinds.set(key, new Set([...(kinds.get(key) ?? []), kind]))
  }
  return strayings(data, samples).some((straying) => {
    const [key = '', kind = ''] = straying.replace('no sample has ', '').split(': ')
    // What an order says depends on its subject.
    const known = key.startsWith('.order.body.') ? undefined : kinds.get(key)
    return straying.startsWith('every') || (known !== undefined && kind !== 'null' && [...known].some((one) => one !== 'null'))
  })
}

/** The events that show something which no sample shows yet, as long as it is only more than they show. */
const additions = (events: readonly Sample[], samples: readonly Sample[]): readonly Sample[] => {
  const added: Sample[] = []
  for (const event of events) {
    if (strayings(event.data, [...samples, ...added]).length === 0) continue
    if (isAnotherShape(event.data, samples)) throw new Error(`${event.type} has another shape: give it an upcaster`)
    added.push(event)
  }
  return added
}

/**
 * Writes samples of one shape, or adds those of what it holds beyond the samples that there are. These are never changed.
 *
 * @returns how many were written
 * @throws when the shape is another one than that of its samples
 */
export const keepSamples = ({ type, version, samples }: Shape): number => {
  const path = join(folder, 'events', `${type}.v${version}.json`)
  const kept = existsSync(path) ? read(path) : []
  const added = kept.length === 0 ? different(samples) : additions(samples, kept)
  if (added.length === 0) return 0
  const lines = [...kept, ...added].map(({ type: name, data, metadata }) => JSON.stringify({ type: name, data, metadata }))
  writeFileSync(path, `[\n  ${lines.join(',\n  ')}\n]\n`)
  return added.length
}
